// Numbers, sizes and times as people read them. `null` is "unknown" and is written by the caller.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** Whole numbers with separators. */
export function count(value: number): string {
  return whole.format(value);
}

/** A rate: one decimal below 100, none above. */
export function rate(value: number): string {
  return Math.abs(value) < 100 ? short.format(value) : whole.format(value);
}

/** Bytes in binary units; exact below 1 KiB. */
export function bytes(value: number): string {
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
  const date = new Date(seconds * 1000);
  return `${clock.format(date)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** Date and time, from seconds since the epoch. */
export function dateTime(seconds: number): string {
  return full.format(new Date(seconds * 1000));
}
