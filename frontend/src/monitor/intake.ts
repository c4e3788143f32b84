// From a frame of the live channel to rows: the monitor's messages, and what is missing before them.

import type { MessagesFrame } from "@/contract/types";
import { leftOutFor } from "@/live/leftOut";
import type { Row } from "./rows";

export interface Taken {
  /** Oldest first. */
  rows: Row[];
  received: number;
  skipped: number;
}

/** Take what belongs to the monitor; other pages watch topics over the same channel. */
export function taken(
  frame: MessagesFrame,
  isMine: (topic: string) => boolean,
  serial: number,
): Taken {
  const { dropped, conflated } = leftOutFor(frame, isMine);
  const first = frame.messages[0] ?? frame;
  const at = { epoch: first.epoch, seq: first.seq - 0.5 };
  const rows: Row[] = [];
  if (frame.gap)
    rows.push({ kind: "gap", key: `g${serial}`, at, missing: frame.missing, reload: false });
  if (dropped + conflated)
    rows.push({ kind: "skipped", key: `s${serial}`, at, dropped, conflated });
  const notices = rows.length;
  for (const message of frame.messages) {
    if (!isMine(message.topic)) continue;
    const { epoch, seq } = message;
    rows.push({ kind: "message", key: `${epoch}:${seq}`, at: { epoch, seq }, message });
  }
  return { rows, received: rows.length - notices, skipped: dropped + conflated };
}
