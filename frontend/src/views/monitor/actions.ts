// What can be done with one message, from its row and from its details.

import type { RouteLocationRaw } from "vue-router";
import type { MessageReceived } from "@/contract/types";
import type { Savable } from "@/payload/save";
import { queryOf } from "@/publish/address";
import { message as one } from "@/topics/api";
import { isGone } from "@/topics/wholes";

export function asJson(message: MessageReceived): string {
  return JSON.stringify(message, null, 2);
}

export function savable(message: MessageReceived): Savable {
  const { topic, payload, encoding, size, epoch, seq } = message;
  const cut = message.truncated ?? false;
  return { topic, payload, encoding, size, cut, number: { epoch, seq } };
}

/** All of a message of which the page may have the beginning only; that, if there is no more. */
export async function whole(message: MessageReceived): Promise<MessageReceived> {
  if (!message.truncated) return message;
  try {
    return await one(message.topic, message);
  } catch (error) {
    if (isGone(error)) return message;
    throw error;
  }
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
