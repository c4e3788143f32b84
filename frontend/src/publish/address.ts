// A message in the address of the Publish page, so that it can be sent again from anywhere else.

import type { LocationQuery, LocationQueryRaw } from "vue-router";
import type { Encoding, MessageProperties, QoS } from "@/contract/types";
import { type Draft, noOptions, optionsOf } from "./draft";

// Longer addresses are refused by some proxies.
const PAYLOAD_IN_ADDRESS = 1500;
const PROPERTIES_IN_ADDRESS = 2000;

export interface Sendable {
  topic: string;
  payload: string;
  encoding: Encoding;
  qos: number;
  retain: boolean;
  cut: boolean;
  properties: MessageProperties | null | undefined;
}

/** A message as a query, as far as an address can hold it. */
export function queryOf(message: Sendable): LocationQueryRaw {
  const query: LocationQueryRaw = { topic: message.topic };
  const { payload, properties } = message;
  if (!message.cut && payload.length <= PAYLOAD_IN_ADDRESS) {
    query.payload = payload;
    if (message.encoding === "base64") query.encoding = "base64";
  }
  if (message.retain) query.retain = "1";
  if (message.qos === 2) query.qos = "2";
  const text = properties ? JSON.stringify(properties) : "";
  if (text && text.length <= PROPERTIES_IN_ADDRESS) query.properties = text;
  return query;
}

/** The form as an address wants it; what does not fit is left empty. */
export function draftFrom(query: LocationQuery): Draft {
  const given = (name: string) => {
    const value = query[name];
    return typeof value === "string" ? value : "";
  };
  const qos: QoS = given("qos") === "2" ? 2 : given("qos") === "0" ? 0 : 1;
  return {
    topic: given("topic"),
    text: given("payload"),
    form: given("encoding") === "base64" ? "base64" : "text",
    qos,
    retain: given("retain") === "1",
    options: optionsFrom(given("properties")),
  };
}

function optionsFrom(text: string): Draft["options"] {
  try {
    const found: unknown = JSON.parse(text || "null");
    return isProperties(found) ? optionsOf(found) : noOptions();
  } catch {
    // Somebody else's address, or one that was cut.
    return noOptions();
  }
}

function isProperties(value: unknown): value is MessageProperties {
  if (typeof value !== "object" || value === null) return false;
  const one = value as Partial<Record<keyof MessageProperties, unknown>>;
  const texts = [one.content_type, one.response_topic, one.correlation_data];
  const rows = one.user_properties ?? [];
  return (
    texts.every((text) => text === undefined || text === null || typeof text === "string") &&
    Array.isArray(rows) &&
    rows.every((row) => Array.isArray(row) && row.length === 2 && row.every(isText))
  );
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}
