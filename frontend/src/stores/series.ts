// Rates over time, with a hole where nothing was measured.

import type { Rates } from "@/contract/types";

export interface Sample {
  time: number;
  received: number | null;
  sent: number | null;
  bytesIn: number | null;
  bytesOut: number | null;
  bridge: number | null;
}

export type Series = readonly Sample[];

const KEEP_S = 30 * 60;
const HOLE_AFTER_S = 12;

/** Add a measurement; a pause longer than two intervals becomes a hole in the line. */
export function append(series: Series, time: number, rates: Rates): Series {
  const last = series[series.length - 1];
  if (last && time <= last.time) return series;
  const sample: Sample = {
    time,
    received: rates.publish_received,
    sent: rates.publish_sent,
    bytesIn: rates.bytes_received,
    bytesOut: rates.bytes_sent,
    bridge: rates.bridge_messages,
  };
  const kept = series.filter((one) => one.time > time - KEEP_S);
  if (last && time - last.time > HOLE_AFTER_S) kept.push(hole(last.time + 1));
  kept.push(sample);
  return kept;
}

function hole(time: number): Sample {
  return { time, received: null, sent: null, bytesIn: null, bytesOut: null, bridge: null };
}
