// Numbers, sizes and times as people read them, in the language shown. `null` is "unknown" and is
// written by the caller.

import { computed } from "vue";
import { language } from "@/i18n";

// English with the day before the month and 24 hours: operators compare with logs.
const TAGS = { en: "en-GB", de: "de-DE" } as const;

const formats = computed(() => {
  const tag = TAGS[language.value];
  return {
    whole: new Intl.NumberFormat(tag, { maximumFractionDigits: 0 }),
    short: new Intl.NumberFormat(tag, { maximumFractionDigits: 1 }),
    clock: new Intl.DateTimeFormat(tag, {
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    }),
    millis: new Intl.DateTimeFormat(tag, {
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      fractionalSecondDigits: 3,
    }),
    full: new Intl.DateTimeFormat(tag, { dateStyle: "medium", timeStyle: "medium" }),
  };
});

/** A clause of the server as a sentence of its own: a capital letter and a full stop. */
export function sentence(text: string): string {
  const begun = text.replace(/^\p{Ll}+(?=[\s,;]|:(?!\/)|$)/u, (word) => {
    return word.charAt(0).toUpperCase() + word.slice(1);
  });
  return /[.!?…]$/.test(begun) || !begun ? begun : `${begun}.`;
}

/** Whole numbers with separators. */
export function count(value: number): string {
  return formats.value.whole.format(value);
}

/** A rate: one decimal below 100, none above. */
export function rate(value: number): string {
  const { whole, short } = formats.value;
  return Math.abs(value) < 100 ? short.format(value) : whole.format(value);
}

/** Bytes in binary units; exact below 1 KiB. */
export function bytes(value: number): string {
  const { whole, short } = formats.value;
  if (value < 1024) return `${whole.format(value)} B`;
  const units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
  let scaled = value / 1024;
  let unit = 0;
  while (scaled >= 1024 && unit < units.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  return `${short.format(scaled)} ${units[unit]}`;
}

/** A span of seconds in its two largest units. */
export function duration(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(total / 86400), "d"],
    [Math.floor(total / 3600) % 24, "h"],
    [Math.floor(total / 60) % 60, "min"],
    [total % 60, "s"],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first === -1) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}

/** Time of day with milliseconds, from seconds since the epoch. */
export function timeOfDay(seconds: number): string {
  return formats.value.millis.format(new Date(seconds * 1000));
}

/** Time of day to the second, from seconds since the epoch. */
export function clockTime(seconds: number): string {
  return formats.value.clock.format(new Date(seconds * 1000));
}

/** Date and time, from seconds since the epoch. */
export function dateTime(seconds: number): string {
  return formats.value.full.format(new Date(seconds * 1000));
}
