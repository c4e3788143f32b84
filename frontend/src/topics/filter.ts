// Topics and filters by MQTT 5.0, 4.7. The same rules as the server's contract/topics.py.

const MAX_BYTES = 65535;

/** What is wrong with a topic to publish to, in words, or null. */
export function topicProblem(topic: string): string | null {
  if (/[+#]/.test(topic)) return "A topic to publish to must not contain the wildcards + or #.";
  const problem = textProblem(topic, "topic");
  if (problem) return problem;
  if (topic.startsWith("$")) return "Topics that begin with $ belong to the broker.";
  return null;
}

/** What is wrong with a filter, in words, or null. */
export function filterProblem(filter: string): string | null {
  const problem = textProblem(filter, "filter");
  if (problem) return problem;
  if (filter.startsWith("$share/")) return "A shared subscription cannot be watched.";
  const levels = filter.split("/");
  for (const [position, level] of levels.entries()) {
    if (level.includes("#") && (level !== "#" || position !== levels.length - 1)) {
      return "# must be the last level and stand alone in it: a/b/#";
    }
    if (level.includes("+") && level !== "+") return "+ must stand alone in its level: a/+/c";
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

function textProblem(text: string, what: string): string | null {
  if (!text) return `A ${what} must not be empty.`;
  if (text.includes("\0")) return `A ${what} must not contain the character U+0000.`;
  if (new TextEncoder().encode(text).length > MAX_BYTES) {
    return `A ${what} must not be longer than ${MAX_BYTES} bytes.`;
  }
  return null;
}
