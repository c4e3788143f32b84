// The form of the Publish page in its address, so that it can be handed on, reloaded, and filled in
// from a message anywhere else. What does not fit is left out and kept by this tab alone.

import type { LocationQuery } from "vue-router";
import type { Encoding, MessageProperties, QoS } from "@/contract/types";
import { type Draft, noOptions, optionsFrom, optionsOf } from "./draft";
import type { Form } from "@/views/publish/forms";

/** Of all values together, written as an address writes them: longer ones are refused on the way. */
export const ADDRESS_BYTES = 6000;

export interface Sendable {
  topic: string;
  payload: string;
  encoding: Encoding;
  qos: number;
  retain: boolean;
  cut: boolean;
  properties: MessageProperties | null | undefined;
}

type Query = Record<string, string>;

/** A message as a query, as far as an address can hold it. */
export function queryOf(message: Sendable): Query {
  const { topic, payload, encoding, retain, cut, properties } = message;
  return fitting({
    topic,
    encoding: encoding === "base64" ? "base64" : "",
    retain: retain ? "1" : "",
    qos: qosText(message.qos),
    properties: properties ? JSON.stringify(properties) : "",
    payload: cut ? "" : payload,
  });
}

/** What is written in the form as a query; nothing for what is as it was at the beginning. */
export function queryOfDraft(draft: Draft): Query {
  return fitting(valuesOf(draft));
}

/** Whether an address holds all that is written. */
export function isWhole(draft: Draft): boolean {
  const values = valuesOf(draft);
  const held = fitting(values);
  return Object.keys(values).every((name) => !values[name] || name in held);
}

function valuesOf(draft: Draft): Query {
  const { topic, text, form, qos, retain, options } = draft;
  const changed = Object.entries(options).filter(
    ([name, value]) =>
      JSON.stringify(value) !== JSON.stringify(noOptions()[name as keyof Draft["options"]]),
  );
  return {
    topic,
    encoding: form === "base64" ? "base64" : "",
    as: form === "json" || form === "hex" ? form : "",
    retain: retain ? "1" : "",
    qos: qosText(qos),
    options: changed.length ? JSON.stringify(Object.fromEntries(changed)) : "",
    payload: form === "file" ? "" : text,
  };
}

function qosText(qos: number): string {
  return qos === 1 ? "" : String(qos);
}

/** The values that fit, in this order; the payload comes last. */
function fitting(values: Query): Query {
  const found: Query = {};
  let room = ADDRESS_BYTES;
  for (const [name, value] of Object.entries(values)) {
    const length = lengthOf(value);
    if (!value || length > room) continue;
    room -= length;
    found[name] = value;
  }
  return found;
}

function lengthOf(value: string): number {
  if (value.length > ADDRESS_BYTES) return Infinity;
  try {
    return encodeURIComponent(value).length;
  } catch {
    // Half a character: no address can hold it.
    return Infinity;
  }
}

const NAMES = ["topic", "payload", "encoding", "as", "qos", "retain", "properties", "options"];

/** Whether an address says anything about the form. */
export function speaks(query: LocationQuery): boolean {
  return NAMES.some((name) => typeof query[name] === "string");
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
    form: formOf(given("encoding"), given("as")),
    qos,
    retain: given("retain") === "1",
    options: given("options")
      ? optionsFrom(parsed(given("options")))
      : optionsOfMessage(parsed(given("properties"))),
    fileName: null,
  };
}

function formOf(encoding: string, as: string): Form {
  if (encoding === "base64") return "base64";
  return as === "json" || as === "hex" ? as : "text";
}

function optionsOfMessage(found: unknown): Draft["options"] {
  return isProperties(found) ? optionsOf(found) : noOptions();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text || "null");
  } catch {
    // Somebody else's address, or one that was cut.
    return null;
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
