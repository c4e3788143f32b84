// Topic filters as people write them into a form: one per line, nothing for the role's, "-" for none.

export function toText(filters: readonly string[] | null): string {
  if (filters === null) return "";
  return filters.length ? filters.join("\n") : "-";
}

export function fromText(text: string): string[] | null {
  // A space may be part of a filter, a line break hardly ever is.
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (!lines.length) return null;
  return lines.length === 1 && lines[0]?.trim() === "-" ? [] : lines;
}

const LETTERS = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const LENGTH = 20;

/** A password nobody has thought of: about 115 bits. */
export function madeUp(): string {
  const password: string[] = [];
  const room = 256 - (256 % LETTERS.length);
  while (password.length < LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(LENGTH)))
      // Larger ones would make the first letters likelier.
      if (byte < room && password.length < LENGTH)
        password.push(LETTERS.charAt(byte % LETTERS.length));
  }
  return password.join("");
}
