// Topics and filters by MQTT 5.0, 4.7. The same rules as the server's contract/topics.py.

import { t } from "@/i18n";

const MAX_BYTES = 65535;
// A broker may end the connection over any of these (MQTT 5.0, 1.5.4), and mosquitto does.
const FORBIDDEN = /[\p{Cc}\p{Noncharacter_Code_Point}]/u;

/** What is wrong with a topic to publish to, in words, or null. */
export function topicProblem(topic: string): string | null {
  if (/[+#]/.test(topic)) return t("monitor.wrong.wildcards");
  const problem = textProblem(topic, "topic");
  if (problem) return problem;
  if (topic.startsWith("$")) return t("monitor.wrong.brokers");
  return null;
}

/** What is wrong with a filter, in words, or null. */
export function filterProblem(filter: string): string | null {
  const problem = textProblem(filter, "filter");
  if (problem) return problem;
  if (filter.startsWith("$share/")) return t("monitor.wrong.shared");
  const levels = filter.split("/");
  for (const [position, level] of levels.entries()) {
    if (level.includes("#") && (level !== "#" || position !== levels.length - 1)) {
      return t("monitor.wrong.hash");
    }
    if (level.includes("+") && level !== "+") return t("monitor.wrong.plus");
  }
  return null;
}

/** Whether a topic matches a filter; wildcards never match a leading $. */
export function matches(filter: string, topic: string): boolean {
  const pattern = filter.split("/");
  const levels = topic.split("/");
  if (topic.startsWith("$") && (pattern[0] === "#" || pattern[0] === "+")) return false;
  for (const [position, level] of pattern.entries()) {
    if (level === "#") return true;
    if (position >= levels.length) return false;
    if (level !== "+" && level !== levels[position]) return false;
  }
  return pattern.length === levels.length;
}

function codeOf(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

function textProblem(text: string, what: "topic" | "filter"): string | null {
  if (!text) return t(`monitor.wrong.empty.${what}`);
  const wrong = FORBIDDEN.exec(text)?.[0];
  if (wrong) return t("monitor.wrong.character", { code: codeOf(wrong) });
  if (new TextEncoder().encode(text).length > MAX_BYTES) {
    return t("monitor.wrong.long", { n: MAX_BYTES });
  }
  return null;
}
