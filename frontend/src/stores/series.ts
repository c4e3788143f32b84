// Measurements over time, with a hole where nothing was measured.

import type { BrokerStats, Rates, StatsHistoryReply } from "@/contract/types";

/** Values by name: the fields of the broker's statistics, and rates with `rate_` before them. */
export type Values = Readonly<Record<string, number>>;

export interface Sample {
  time: number;
  values: Values;
}

export type Series = readonly Sample[];

const HOLE_AFTER_STEPS = 2.5;
const NOTHING: Values = {};

/** Add a measurement; a pause longer than two steps becomes a hole in the line. */
export function append(series: Series, sample: Sample, step: number, keep: number): Series {
  const last = series[series.length - 1];
  if (last && sample.time <= last.time) return series;
  const kept = series.filter((one) => one.time > sample.time - keep);
  if (last && sample.time - last.time > HOLE_AFTER_STEPS * step)
    kept.push({ time: last.time + step, values: NOTHING });
  kept.push(sample);
  return kept;
}

/** What of a statistics document is drawn. */
export function measured(time: number, data: BrokerStats | null, rates: Rates): Sample {
  const values: Record<string, number> = {};
  for (const [name, value] of Object.entries(data ?? {}))
    if (typeof value === "number") values[name] = value;
  for (const [name, value] of Object.entries(rates))
    if (typeof value === "number") values[`rate_${name}`] = value;
  return { time, values };
}

/** The server's columns as samples. */
export function fromColumns(reply: StatsHistoryReply): Series {
  const names = Object.keys(reply.series);
  return reply.times.map((time, row) => {
    const values: Record<string, number> = {};
    for (const name of names) {
      const value = reply.series[name]?.[row];
      if (value !== null && value !== undefined) values[name] = value;
    }
    return { time, values };
  });
}

/** One line of the chart. */
export function column(series: Series, name: string): (number | null)[] {
  return series.map((sample) => sample.values[name] ?? null);
}

/** The mean of a value over the newest seconds; null when it is not known in there. */
export function mean(series: Series, name: string, seconds: number): number | null {
  const until = series[series.length - 1]?.time ?? 0;
  let sum = 0;
  let count = 0;
  for (const sample of series) {
    const value = sample.values[name];
    if (value === undefined || sample.time <= until - seconds) continue;
    sum += value;
    count += 1;
  }
  return count ? sum / count : null;
}
