// The broker's own values, grouped, with their units.

import type { BrokerStats } from "@/contract/types";
import { bytes, count, duration, rate } from "@/format";
import type { TextKey } from "@/i18n";

type Kind = "text" | "count" | "bytes" | "duration" | "perMinute" | "bytesPerMinute";
type FieldName =
  Extract<TextKey, `overview.field.${string}`> extends `overview.field.${infer Name}`
    ? Name
    : never;
type Field = [name: FieldName & keyof BrokerStats, kind: Kind];

export interface Group {
  title: TextKey;
  fields: Field[];
}

export const GROUPS: Group[] = [
  {
    title: "overview.group.broker",
    fields: [
      ["version", "text"],
      ["uptime", "duration"],
      ["subscriptions", "count"],
      ["shared_subscriptions", "count"],
      ["retained", "count"],
      ["messages_stored", "count"],
      ["store_messages_bytes", "bytes"],
      ["heap_current", "bytes"],
      ["heap_maximum", "bytes"],
    ],
  },
  {
    title: "overview.group.clients",
    fields: [
      ["clients_connected", "count"],
      ["clients_disconnected", "count"],
      ["clients_total", "count"],
      ["clients_maximum", "count"],
      ["clients_expired", "count"],
    ],
  },
  {
    title: "overview.group.start",
    fields: [
      ["publish_received", "count"],
      ["publish_sent", "count"],
      ["publish_dropped", "count"],
      ["publish_bytes_received", "bytes"],
      ["publish_bytes_sent", "bytes"],
      ["messages_received", "count"],
      ["messages_sent", "count"],
      ["messages_inflight", "count"],
      ["messages_dropped", "count"],
      ["bytes_received", "bytes"],
      ["bytes_sent", "bytes"],
    ],
  },
];

/** Moving averages over 1, 5 and 15 minutes. */
export const LOADS: { name: FieldName; kind: Kind }[] = [
  { name: "publish_received", kind: "perMinute" },
  { name: "publish_sent", kind: "perMinute" },
  { name: "publish_dropped", kind: "perMinute" },
  { name: "messages_received", kind: "perMinute" },
  { name: "messages_sent", kind: "perMinute" },
  { name: "bytes_received", kind: "bytesPerMinute" },
  { name: "bytes_sent", kind: "bytesPerMinute" },
  { name: "connections", kind: "perMinute" },
  { name: "sockets", kind: "perMinute" },
];

/** A value with its unit (what is per minute has it in its heading); null stays null. */
export function show(value: number | string | null | undefined, kind: Kind): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  if (kind === "bytes") return bytes(value);
  if (kind === "duration") return duration(value);
  if (kind === "perMinute") return rate(value);
  if (kind === "bytesPerMinute") return bytes(value);
  return count(value);
}

export function load(data: BrokerStats, name: FieldName, span: string): number | null {
  const value = data[`load_${name}_${span}` as keyof BrokerStats];
  return typeof value === "number" ? value : null;
}
