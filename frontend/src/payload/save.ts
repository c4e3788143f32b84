// A payload as a file: from what is at hand when that is all of it, else whole from the server.

import type { Encoding } from "@/contract/types";
import { payloadBytes } from "@/format/payload";
import { ApiError, getBytes } from "@/live/api";

/** A message, or a topic's last value when it has no number. */
export interface Savable {
  topic: string;
  payload: string;
  encoding: Encoding;
  /** Only the beginning is at hand. */
  cut: boolean;
  size: number;
  number: { epoch: number; seq: number } | null;
}

/** What became of it: null when the file is whole, else how much of it could still be had. */
export type Missing = { kept: number; size: number } | null;

/** Save as a file named after the topic. Throws when the server does not answer. */
export async function savePayload(message: Savable): Promise<Missing> {
  const kept = () => new Blob([payloadBytes(message).slice().buffer]);
  const name = fileName(message);
  if (!message.cut) {
    offer(kept(), name);
    return null;
  }
  const { topic, size, number } = message;
  const query = { topic, ...(number && { epoch: `${number.epoch}`, seq: `${number.seq}` }) };
  const [blob, isCut] = await getBytes("/api/topics/payload", query).then(
    ([found, headers]) => [found, headers.get("X-Truncated") === "1"] as const,
    (error: unknown) => {
      // The log has moved on; what is at hand is all there is.
      if (error instanceof ApiError && error.status === 404) return [kept(), true] as const;
      throw error;
    },
  );
  offer(blob, name);
  return isCut ? { kept: blob.size, size } : null;
}

export function fileName({ topic, number }: Pick<Savable, "topic" | "number">): string {
  const name = topic.replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 80) || "payload";
  return number ? `${name}-${number.seq}.bin` : `${name}.bin`;
}

function offer(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
