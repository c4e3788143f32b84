// Whose losses a frame tells: all pages of this browser tab share one live channel, so what was left
// out of a flood on the Monitor is no loss of the one topic that is open beside it, nor the reverse.

import type { MessagesFrame } from "@/contract/types";

export type Losses = Pick<MessagesFrame, "dropped" | "conflated" | "left_out">;

/** How many messages of one topic were left out; the topic is watched by its exact name. */
export function leftOutOf(frame: Losses, topic: string): number {
  return Object.hasOwn(frame.left_out, topic) ? (frame.left_out[topic] ?? 0) : 0;
}

/** What was left out without that of the named topics that are somebody else's. */
export function leftOutFor(
  frame: Losses,
  isMine: (topic: string) => boolean,
): { dropped: number; conflated: number } {
  let foreign = 0;
  for (const [topic, count] of Object.entries(frame.left_out)) if (!isMine(topic)) foreign += count;
  // A topic of its own gives way to newer messages first; only many topics at once drop any.
  const conflated = Math.max(0, frame.conflated - foreign);
  const rest = foreign - (frame.conflated - conflated);
  return { conflated, dropped: Math.max(0, frame.dropped - rest) };
}
