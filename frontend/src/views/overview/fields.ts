// The broker's own values, grouped, with their units.

import type { BrokerStats } from "@/contract/types";
import { bytes, count, duration, rate } from "@/format";

type Kind = "text" | "count" | "bytes" | "duration" | "perMinute" | "bytesPerMinute";
type Field = [name: keyof BrokerStats, label: string, kind: Kind];

export interface Group {
  title: string;
  fields: Field[];
}

export const GROUPS: Group[] = [
  {
    title: "Broker",
    fields: [
      ["version", "Version", "text"],
      ["uptime", "Uptime", "duration"],
      ["subscriptions", "Subscriptions", "count"],
      ["shared_subscriptions", "Shared subscriptions", "count"],
      ["retained", "Retained messages", "count"],
      ["messages_stored", "Stored messages", "count"],
      ["store_messages_bytes", "Stored bytes", "bytes"],
      ["heap_current", "Heap", "bytes"],
      ["heap_maximum", "Heap, most", "bytes"],
    ],
  },
  {
    title: "Clients",
    fields: [
      ["clients_connected", "Connected", "count"],
      ["clients_disconnected", "Sessions without connection", "count"],
      ["clients_total", "Sessions", "count"],
      ["clients_maximum", "Sessions, most", "count"],
      ["clients_expired", "Sessions expired", "count"],
    ],
  },
  {
    title: "Since the broker's start",
    fields: [
      ["publish_received", "Published to the broker", "count"],
      ["publish_sent", "Delivered by the broker", "count"],
      ["publish_dropped", "Dropped by the broker", "count"],
      ["publish_bytes_received", "Payload received", "bytes"],
      ["publish_bytes_sent", "Payload sent", "bytes"],
      ["messages_received", "Packets received", "count"],
      ["messages_sent", "Packets sent", "count"],
      ["messages_inflight", "Packets in flight", "count"],
      ["messages_dropped", "Packets dropped", "count"],
      ["bytes_received", "Bytes received", "bytes"],
      ["bytes_sent", "Bytes sent", "bytes"],
    ],
  },
];

/** Moving averages over 1, 5 and 15 minutes. */
export const LOADS: { label: string; prefix: string; kind: Kind }[] = [
  { label: "Published to the broker", prefix: "load_publish_received", kind: "perMinute" },
  { label: "Delivered by the broker", prefix: "load_publish_sent", kind: "perMinute" },
  { label: "Dropped by the broker", prefix: "load_publish_dropped", kind: "perMinute" },
  { label: "Packets received", prefix: "load_messages_received", kind: "perMinute" },
  { label: "Packets sent", prefix: "load_messages_sent", kind: "perMinute" },
  { label: "Bytes received", prefix: "load_bytes_received", kind: "bytesPerMinute" },
  { label: "Bytes sent", prefix: "load_bytes_sent", kind: "bytesPerMinute" },
  { label: "Connections opened", prefix: "load_connections", kind: "perMinute" },
  { label: "Sockets opened", prefix: "load_sockets", kind: "perMinute" },
];

/** A value with its unit; null stays null. */
export function show(value: number | string | null | undefined, kind: Kind): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  if (kind === "bytes") return bytes(value);
  if (kind === "duration") return duration(value);
  if (kind === "perMinute") return `${rate(value)} /min`;
  if (kind === "bytesPerMinute") return `${bytes(value)}/min`;
  return count(value);
}

export function load(data: BrokerStats, prefix: string, span: string): number | null {
  const value = data[`${prefix}_${span}` as keyof BrokerStats];
  return typeof value === "number" ? value : null;
}
