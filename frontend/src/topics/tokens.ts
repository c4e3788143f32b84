// The words of an expression, one after another, with their places.

/** What an expression is not: where (a position in the text), what was expected, what is there. */
export interface Problem {
  at: number;
  expected: Expected;
  found: string;
}

export type Expected =
  "field" | "value" | "operator" | "text" | "close" | "end" | "quote" | "name" | "shorter";

export class Mistake extends Error {
  constructor(readonly problem: Problem) {
    super(problem.expected);
  }
}

export interface Token {
  kind: "word" | "number" | "text" | "sign" | "end";
  text: string;
  at: number;
  /** The value of a text; a word's steps. */
  value: string;
  path: string[];
}

const SPACE = /\s*/y;
const NUMBER = /[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
// payload.temp, payload.list[0].name, payload["odd key"]
const WORD = /[\p{L}_$][\p{L}\p{N}_$-]*/uy;
const STEP = /\.([\p{L}\p{N}_$-]+)|\[(\d+)\]/uy;
const SIGN = /===|!==|==|!=|<>|<=|>=|&&|\|\||[=<>~!()]/y;

export class Tokens {
  next: Token;
  private at = 0;

  constructor(private readonly text: string) {
    this.next = this.scan();
  }

  advance(): void {
    this.next = this.scan();
  }

  /** Take the next word or sign if it is one of these. */
  take(...words: string[]): boolean {
    if (this.next.kind !== "word" && this.next.kind !== "sign") return false;
    if (!words.includes(this.next.text.toLowerCase())) return false;
    this.advance();
    return true;
  }

  mistake(expected: Expected): Mistake {
    return new Mistake({ at: this.next.at, expected, found: this.next.text });
  }

  private scan(): Token {
    this.match(SPACE);
    const at = this.at;
    const found = (kind: Token["kind"], text: string, value = "", path: string[] = []): Token => ({
      kind,
      text,
      at,
      value,
      path,
    });
    if (at >= this.text.length) return found("end", "");
    const mark = this.text[at];
    if (mark === '"' || mark === "'") {
      const value = this.quoted(mark);
      return found("text", this.text.slice(at, this.at), value);
    }
    const number = this.match(NUMBER);
    if (number) return found("number", number);
    const word = this.match(WORD);
    if (word) {
      const path = this.path(word);
      return found("word", this.text.slice(at, this.at), "", path);
    }
    const sign = this.match(SIGN);
    if (sign) return found("sign", sign);
    const rest = this.text.slice(at, at + 12);
    throw new Mistake({ at, expected: "operator", found: [...rest][0] ?? "" });
  }

  private path(word: string): string[] {
    const path = [word];
    for (;;) {
      STEP.lastIndex = this.at;
      const step = STEP.exec(this.text);
      if (step) {
        this.at = STEP.lastIndex;
        path.push(step[1] ?? step[2] ?? "");
      } else if (/^\["|^\['/.test(this.text.slice(this.at, this.at + 2))) {
        this.at += 1;
        path.push(this.quoted(this.text[this.at] ?? '"'));
        if (this.text[this.at] !== "]")
          throw new Mistake({ at: this.at, expected: "close", found: this.text[this.at] ?? "" });
        this.at += 1;
      } else if (this.text[this.at] === "." || this.text[this.at] === "[") {
        const found = this.text[this.at + 1] ?? "";
        throw new Mistake({ at: this.at + 1, expected: "name", found });
      } else {
        return path;
      }
    }
  }

  private quoted(mark: string): string {
    const began = this.at;
    let value = "";
    for (this.at += 1; this.at < this.text.length; this.at += 1) {
      const char = this.text[this.at] ?? "";
      if (char === mark) {
        this.at += 1;
        return value;
      }
      // A backslash takes the next character as it is: \" and \\
      if (char === "\\" && this.at + 1 < this.text.length) this.at += 1;
      value += this.text[this.at] ?? "";
    }
    throw new Mistake({ at: began, expected: "quote", found: this.text.slice(began) });
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found) return "";
    this.at = pattern.lastIndex;
    return found[0];
  }
}
