import { describe, expect, it } from "vitest";
import { toBase64, written } from "./forms";

describe("a written payload", () => {
  it("is text as it stands, counted in bytes", () => {
    expect(written("text", " ä ")).toEqual({
      payload: " ä ",
      encoding: "utf8",
      size: 4,
      problem: null,
    });
  });

  it("is hex with spaces and 0x, or nothing", () => {
    expect(written("hex", "0xFF 00\n0x7f").payload).toBe("/wB/");
    expect(written("hex", "").size).toBe(0);
    expect(written("hex", "abc").payload).toBeNull();
    expect(written("hex", "zz").problem).toContain("hex");
  });

  it("is base64 that may be broken into lines, or nothing", () => {
    expect(written("base64", "/wCA\n")).toMatchObject({ payload: "/wCA", size: 3, problem: null });
    expect(written("base64", "/w=").payload).toBeNull();
  });

  it("is JSON only when it is valid", () => {
    expect(written("json", '{"on": true}').payload).toBe('{"on": true}');
    expect(written("json", "{on: true}").payload).toBeNull();
    expect(written("json", "").problem).not.toBeNull();
  });

  it("keeps every byte of a file", () => {
    const bytes = Uint8Array.from({ length: 20_000 }, (_, at) => at % 256);
    const back = Uint8Array.from(atob(toBase64(bytes)), (one) => one.charCodeAt(0));
    expect(back).toEqual(bytes);
  });
});
