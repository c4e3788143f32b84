// Conditions on watched messages, such as `payload.temp > 20 and topic contains "kitchen"`.
//
// Nothing is executed and there are no regular expressions, so that no condition, of whoever's link,
// can run code or take long: texts are searched from left to right, and `~` knows only `*`.

import type { MessageReceived } from "@/contract/types";
import { FIELDS, type Operand, read, type Reader } from "./fields";
import { matches } from "./filter";
import { Mistake, type Problem, type Token, Tokens } from "./tokens";

export type { Expected, Problem } from "./tokens";

export const MAX_LENGTH = 500;

export type Test = (message: MessageReceived) => boolean;
export type Parsed = { ok: true; test: Test } | { ok: false; problem: Problem };

/** Understand an expression; a message that lacks what is asked for does not match. */
export function parse(text: string): Parsed {
  try {
    if (text.length > MAX_LENGTH)
      throw new Mistake({ at: MAX_LENGTH, expected: "shorter", found: String(text.length) });
    const tokens = new Tokens(text);
    const test = either(tokens);
    if (tokens.next.kind !== "end") throw tokens.mistake("end");
    return { ok: true, test: (message) => test(read(message)) };
  } catch (error) {
    if (error instanceof Mistake) return { ok: false, problem: error.problem };
    throw error;
  }
}

type Inner = (reader: Reader) => boolean;

function either(tokens: Tokens): Inner {
  const parts = [both(tokens)];
  while (tokens.take("or", "||")) parts.push(both(tokens));
  return (reader) => parts.some((one) => one(reader));
}

function both(tokens: Tokens): Inner {
  const parts = [single(tokens)];
  while (tokens.take("and", "&&")) parts.push(single(tokens));
  return (reader) => parts.every((one) => one(reader));
}

function single(tokens: Tokens): Inner {
  if (tokens.take("not", "!")) {
    const inner = single(tokens);
    return (reader) => !inner(reader);
  }
  if (tokens.take("(")) {
    const inner = either(tokens);
    if (!tokens.take(")")) throw tokens.mistake("close");
    return inner;
  }
  return comparison(tokens);
}

function comparison(tokens: Tokens): Inner {
  const get = field(tokens);
  const sign = tokens.next;
  const how = operator(tokens);
  if (!how) {
    // A field alone asks whether it is there and says yes.
    if (sign.kind !== "end" && !["and", "or", "&&", "||", ")"].includes(sign.text))
      throw tokens.mistake("operator");
    return (reader) => get(reader).some((one) => one !== null && one !== false && one !== "");
  }
  const wanted = value(tokens, how.textOnly);
  return (reader) => get(reader).some((one) => how.test(one, wanted));
}

function field(tokens: Tokens): (reader: Reader) => Operand[] {
  const token = tokens.next;
  if (token.kind !== "word") throw tokens.mistake("field");
  const [name = "", ...path] = token.path;
  const getter = Object.hasOwn(FIELDS, name.toLowerCase()) ? FIELDS[name.toLowerCase()] : undefined;
  if (!getter || (path.length && !getter.deep)) throw tokens.mistake("field");
  tokens.advance();
  return (reader) => getter.get(reader, path);
}

interface Operator {
  textOnly: boolean;
  test: (one: Operand, wanted: Operand) => boolean;
}

const onText = (test: (text: string, wanted: string) => boolean): Operator => ({
  textOnly: true,
  test: (one, wanted) =>
    one !== null && test(String(one).toLowerCase(), String(wanted).toLowerCase()),
});
const onOrder = (test: (order: number) => boolean): Operator => ({
  textOnly: false,
  test: (one, wanted) => {
    const order = compared(one, wanted);
    return order !== null && test(order);
  },
});

const OPERATORS: Record<string, Operator> = {
  "=": { textOnly: false, test: equal },
  // Unlike its opposite it needs a value that is there, too, so that silence never matches.
  "!=": { textOnly: false, test: (one, wanted) => present(one, wanted) && !equal(one, wanted) },
  "<": onOrder((order) => order < 0),
  "<=": onOrder((order) => order <= 0),
  ">": onOrder((order) => order > 0),
  ">=": onOrder((order) => order >= 0),
  contains: onText((text, wanted) => text.includes(wanted)),
  startswith: onText((text, wanted) => text.startsWith(wanted)),
  endswith: onText((text, wanted) => text.endsWith(wanted)),
  "~": onText(wildcard),
  // Like everywhere in MQTT, letter case matters here.
  matches: { textOnly: true, test: (one, wanted) => matches(String(wanted), String(one)) },
};
const ALIASES: Record<string, string> = { "==": "=", "===": "=", "<>": "!=", "!==": "!=" };

function operator(tokens: Tokens): Operator | null {
  const written = tokens.next.text.toLowerCase();
  if (tokens.next.kind === "text") return null;
  const name = ALIASES[written] ?? written;
  const found = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  if (!found) return null;
  tokens.advance();
  return found;
}

const WORDS: Record<string, Operand> = { true: true, false: false, null: null };

function value(tokens: Tokens, textOnly: boolean): Operand {
  const token: Token = tokens.next;
  let found: Operand | undefined;
  if (token.kind === "text") found = token.value;
  else if (textOnly) throw tokens.mistake("text");
  else if (token.kind === "number") found = Number(token.text);
  else if (token.kind === "word" && Object.hasOwn(WORDS, token.text.toLowerCase()))
    found = WORDS[token.text.toLowerCase()];
  if (found === undefined) throw tokens.mistake("value");
  tokens.advance();
  return found;
}

function present(one: Operand, wanted: Operand): boolean {
  return one !== null || wanted === null;
}

function equal(one: Operand, wanted: Operand): boolean {
  if (typeof wanted === "number") return number(one) === wanted;
  return one === wanted;
}

/** Smaller than 0, 0 or larger; null when the two cannot be put in order. */
function compared(one: Operand, wanted: Operand): number | null {
  if (typeof wanted === "number") {
    const mine = number(one);
    return mine === null ? null : mine - wanted;
  }
  if (typeof one !== "string" || typeof wanted !== "string") return null;
  return one < wanted ? -1 : one > wanted ? 1 : 0;
}

/** Devices often send numbers as texts. */
function number(one: Operand): number | null {
  if (typeof one === "number") return one;
  if (typeof one !== "string" || one.trim() === "" || one.length > 40) return null;
  const found = Number(one);
  return Number.isFinite(found) ? found : null;
}

/** Whether a text fits a pattern in which `*` stands for anything. */
export function wildcard(text: string, pattern: string): boolean {
  const parts = pattern.split("*");
  if (parts.length === 1) return text === pattern;
  const first = parts[0] ?? "";
  const last = parts[parts.length - 1] ?? "";
  if (text.length < first.length + last.length) return false;
  if (!text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let from = first.length;
  for (const part of parts.slice(1, -1)) {
    const at = text.indexOf(part, from);
    if (at === -1 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}
