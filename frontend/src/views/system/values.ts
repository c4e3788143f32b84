// Settings as people read them: sizes and spans in units, switches in words.

import type { SettingShown } from "@/contract/types";
import { bytes, duration } from "@/format";
import { t } from "@/i18n";
import { said } from "@/i18n/said";

const SIZE = /_BYTES$|^MQTT_MAX_PACKET_SIZE$|^TOPIC_VALUE_LIMIT$/;
const SPAN = /_S$|^MQTT_KEEPALIVE$|^MQTT_SESSION_EXPIRY$|^PUBLISH_TIMEOUT$/;

/** What is set, as one would write it into the environment; secrets and nothing in words. */
export function written(setting: SettingShown): string {
  if (setting.value === "") return "–";
  if (setting.secret && setting.value === "set") return t("system.set");
  return said(setting.value);
}

/** A number of bytes or seconds in units; null where it is neither, or already short. */
export function inUnits({ name, value }: SettingShown): string | null {
  if (!/^\d+(\.\d+)?$/.test(value)) return null;
  const number = Number(value);
  if (SIZE.test(name)) return number < 1024 ? null : bytes(number);
  if (SPAN.test(name)) return number < 60 ? null : duration(number);
  return null;
}
