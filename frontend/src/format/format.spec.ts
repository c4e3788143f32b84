import { describe, expect, it } from "vitest";
import { bytes, count, duration, rate, sentence } from ".";
import { hexDump, hexPreview, oneLine, payloadBytes, prettyJson, visible } from "./payload";

describe("numbers", () => {
  it("are written with separators and units", () => {
    expect(count(1234567)).toBe("1,234,567");
    expect(rate(0.25)).toBe("0.3");
    expect(rate(1234.5)).toBe("1,235");
    expect(bytes(1023)).toBe("1,023 B");
    expect(bytes(1536)).toBe("1.5 KiB");
    expect(bytes(1048576)).toBe("1 MiB");
  });
});

describe("a clause", () => {
  it.each([
    ["the broker is busy", "The broker is busy."],
    ["über den Log", "Über den Log."],
    ["EMQX denies it", "EMQX denies it."],
    ["ws://a/b answered HTTP 404", "ws://a/b answered HTTP 404."],
    ["connected; a new session", "Connected; a new session."],
    ["is it there?", "Is it there?"],
    ["", ""],
  ])("becomes a sentence: %s", (text, written) => {
    expect(sentence(text)).toBe(written);
  });
});

describe("duration", () => {
  it.each([
    [0, "0 s"],
    [59, "59 s"],
    [60, "1 min"],
    [3661, "1 h 1 min"],
    [90061, "1 d 1 h"],
    [-5, "0 s"],
  ])("%s", (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });
});

describe("payloads", () => {
  it("keep their bytes", () => {
    expect(payloadBytes({ payload: "/wA=", encoding: "base64" })).toEqual(new Uint8Array([255, 0]));
    expect(payloadBytes({ payload: "ü", encoding: "utf8" })).toEqual(new Uint8Array([195, 188]));
  });
  it("are shown in hex with offsets", () => {
    expect(hexPreview(new Uint8Array([0, 255]))).toBe("00 ff");
    expect(hexDump(new Uint8Array([65, 0]))).toContain("000000  41 00");
  });
  it("cannot hide or turn text around", () => {
    expect(visible("a\u202eb\u0007")).toBe("a\\u202eb\\u0007");
    expect(oneLine("a\n  b\t c")).toBe("a b c");
  });
  it("are formatted only when they are JSON", () => {
    expect(prettyJson('{"a":1}')).toBe('{\n  "a": 1\n}');
    expect(prettyJson("{oops")).toBeNull();
    expect(prettyJson("42")).toBeNull();
  });
});
