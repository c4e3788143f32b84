// The MQTT 5 properties of a message in words.

import type { MessageProperties } from "@/contract/types";
import { count } from "@/format";
import { visible } from "@/format/payload";
import { t } from "@/i18n";

export interface PropertyRow {
  name: string;
  value: string;
  isUser: boolean;
}

const NAMES = [
  "content_type",
  "payload_format_indicator",
  "message_expiry_interval",
  "response_topic",
  "correlation_data",
] as const;

/** All that a message has, in the order of their use; user properties as they came. */
export function propertyRows(given: MessageProperties | null | undefined): PropertyRow[] {
  if (!given) return [];
  const rows: PropertyRow[] = [];
  for (const name of NAMES) {
    const value = given[name];
    if (value === null || value === undefined) continue;
    const text = inWords(name, value);
    rows.push({ name: t(`monitor.detail.property.${name}`), value: text, isUser: false });
  }
  for (const [name, value] of given.user_properties ?? [])
    rows.push({ name: visible(name), value: visible(value), isUser: true });
  return rows;
}

function inWords(name: (typeof NAMES)[number], value: string | number): string {
  if (name === "payload_format_indicator")
    return value === 1 ? t("monitor.detail.utf8") : t("monitor.detail.bytes");
  if (name === "message_expiry_interval")
    return t("monitor.detail.seconds", { n: count(Number(value)) });
  return visible(String(value));
}
