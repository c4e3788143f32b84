// What a chart of rates says in words: its window, the values at a time, and a short table. Pure.

export interface Line {
  label: string;
  values: (number | null)[];
  colour: string;
}

/** So many steps away a value still stands for a moment. */
const REACH_STEPS = 2.5;

/** The whole span up to now; what is not known in it stays empty. */
export function windowOf(
  times: readonly number[],
  span: number,
  step: number,
  now: number,
): { from: number; to: number } {
  const last = times[times.length - 1] ?? now;
  // Between two samples the newest one is at the edge; the server's clock may be ahead of ours.
  const to = last > now - REACH_STEPS * step ? last : now;
  return { from: to - span, to };
}

/** The sample nearest to a moment, or null when nothing was measured around it. */
export function nearest(times: readonly number[], moment: number, step: number): number | null {
  let best: number | null = null;
  let distance = REACH_STEPS * step;
  for (const [index, time] of times.entries()) {
    if (Math.abs(time - moment) >= distance) continue;
    distance = Math.abs(time - moment);
    best = index;
  }
  return best;
}

/** Samples that stand alone between holes: a line cannot show them, a dot can. */
export function alone(values: readonly (number | null)[]): number[] {
  const known = (index: number) => values[index] !== null && values[index] !== undefined;
  return values
    .map((_value, index) => index)
    .filter((index) => known(index) && !known(index - 1) && !known(index + 1));
}

export interface Row {
  from: number;
  /** The mean of each line in this piece of the window; null where nothing was measured. */
  means: (number | null)[];
}

/** The window in a few pieces of equal length, the newest first. */
export function pieces(
  times: readonly number[],
  lines: readonly Line[],
  { from, to }: { from: number; to: number },
  most: number,
): Row[] {
  const length = (to - from) / most;
  const rows: Row[] = [];
  for (let piece = most - 1; piece >= 0; piece--) {
    const start = from + piece * length;
    const inside = times
      .map((time, index) => (time > start && time <= start + length ? index : -1))
      .filter((index) => index >= 0);
    rows.push({
      from: start,
      means: lines.map((line) => {
        const known = inside
          .map((index) => line.values[index] ?? null)
          .filter((one) => one !== null);
        return known.length ? known.reduce((sum, one) => sum + one, 0) / known.length : null;
      }),
    });
  }
  return rows;
}
