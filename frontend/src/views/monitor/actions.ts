// What can be done with one message, from its row and from its details.

import type { RouteLocationRaw } from "vue-router";
import type { MessageReceived } from "@/contract/types";
import { payloadBytes } from "@/format/payload";
import { queryOf } from "@/publish/address";

/** Put text on the clipboard; false when the browser does not let us. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

export function asJson(message: MessageReceived): string {
  return JSON.stringify(message, null, 2);
}

/** Save the payload's bytes as a file named after the topic. */
export function download(message: MessageReceived): void {
  const bytes = payloadBytes(message);
  const url = URL.createObjectURL(new Blob([bytes.slice().buffer]));
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName(message);
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function fileName(message: Pick<MessageReceived, "topic" | "seq">): string {
  const name = message.topic.replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 80);
  return `${name || "payload"}-${message.seq}.bin`;
}

export function toTopics(message: MessageReceived): RouteLocationRaw {
  return { name: "topics", query: { topic: message.topic } };
}

/** The Publish page with this message in its form, as far as an address can hold it. */
export function toPublish(message: MessageReceived): RouteLocationRaw {
  const { topic, payload, encoding, qos, retain, properties } = message;
  const cut = message.truncated ?? false;
  return {
    name: "publish",
    query: queryOf({ topic, payload, encoding, qos, retain, cut, properties }),
  };
}
