// Puts sentences of the server into other words, by a list of those it can say. Pure.
//
// The list has English sentences with {1}, {2} … where something is filled in, and the same in
// another language. What is filled in may be a sentence itself, or the broker's own words: what is
// not known is left as it is. Texts come from anywhere, so the work is linear in their length.

export type Sentences = Readonly<Record<string, string>>;

interface Pattern {
  /** What stands before, between and behind the holes. */
  pieces: string[];
  words: string;
  weight: number;
}

/** Longer ones are no sentence of ours. */
const LONGEST = 2000;
const DEEPEST = 5;
const REMEMBERED = 500;
const HOLE = /\{\d+\}/;
/** How sentences are put together where no pattern says so. */
const JOINTS = ["; ", ": ", ", ", " ("];

/** What fills the holes, or null when the text is another sentence. */
function filling(text: string, pieces: string[]): string[] | null {
  const first = pieces[0] ?? "";
  const last = pieces[pieces.length - 1] ?? "";
  if (!text.startsWith(first) || !text.endsWith(last)) return null;
  const end = text.length - last.length;
  const found: string[] = [];
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    // Between two holes side by side nothing says where one ends: the first takes all.
    const next = piece ? text.indexOf(piece, at) : end;
    if (next < 0 || next + piece.length > end) return null;
    found.push(text.slice(at, next));
    at = next + piece.length;
  }
  if (at > end) return null;
  found.push(text.slice(at, end));
  return found[0] === "" ? null : found;
}

/** A function that says a sentence in the words of a list. */
export function translator(sentences: Sentences): (text: string) => string {
  const whole = new Map<string, string>();
  const patterns: Pattern[] = [];
  for (const [english, words] of Object.entries(sentences)) {
    if (!HOLE.test(english)) whole.set(english, words);
    else {
      const pieces = english.split(HOLE);
      patterns.push({ pieces, words, weight: pieces.join("").length });
    }
  }
  // The one that leaves least to its holes says most.
  patterns.sort((one, other) => other.weight - one.weight);

  function known(text: string, depth: number): string | null {
    const exact = whole.get(text);
    if (exact !== undefined) return exact;
    if (depth >= DEEPEST || !text.includes(" ")) return null;
    for (const { pieces, words } of patterns) {
      const found = filling(text, pieces);
      if (found)
        return words.replace(/\{(\d+)\}/g, (_hole, number: string) =>
          say(found[Number(number) - 1] ?? "", depth + 1),
        );
    }
    return joined(text, depth);
  }

  /** Two sentences one behind the other, or an address before one. */
  function joined(text: string, depth: number): string | null {
    const [, address, rest] = /^(\S+:\/\/\S+) (.+)$/s.exec(text) ?? [];
    if (rest !== undefined) {
      const told = known(rest, depth + 1);
      return told === null ? null : `${address} ${told}`;
    }
    for (const joint of JOINTS) {
      const at = text.indexOf(joint);
      if (at <= 0) continue;
      const [head, tail] = [text.slice(0, at), text.slice(at + joint.length)];
      const [left, right] = [known(head, depth + 1), known(tail, depth + 1)];
      if (left !== null || right !== null) return `${left ?? head}${joint}${right ?? tail}`;
    }
    return null;
  }

  const say = (text: string, depth: number) => known(text, depth) ?? text;
  const remembered = new Map<string, string>();
  return (text) => {
    if (text.length > LONGEST) return text;
    const before = remembered.get(text);
    if (before !== undefined) return before;
    if (remembered.size >= REMEMBERED) remembered.clear();
    const told = say(text, 0);
    remembered.set(text, told);
    return told;
  };
}
