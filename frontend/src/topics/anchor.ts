// Rows that come or go above what is looked at must not move it.

import type { Row } from "./tree";

export interface Sight {
  /** Places of the first and the last row in sight. */
  first: number;
  last: number;
  /** The row that matters most, if it is in sight. */
  selected: string | null;
  /** Nothing is above: new rows at the top are welcome. */
  isAtTop: boolean;
}

/** By how many rows what is in sight has moved; 0 when nothing of it is left. */
export function shiftOf(before: readonly Row[], now: readonly Row[], sight: Sight): number {
  if (before === now) return 0;
  const places = new Map(now.map((row, place) => [row.key, place]));
  const shift = (place: number): number | null => {
    const row = before[place];
    const moved = row?.kind === "topic" ? places.get(row.key) : undefined;
    return moved === undefined ? null : moved - place;
  };
  for (let place = sight.first; place <= sight.last; place += 1)
    if (before[place]?.key === sight.selected) {
      const found = shift(place);
      if (found !== null) return found;
    }
  if (sight.isAtTop) return 0;
  for (let place = sight.first; place <= sight.last; place += 1) {
    const found = shift(place);
    if (found !== null) return found;
  }
  return 0;
}
