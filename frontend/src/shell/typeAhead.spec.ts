import { describe, expect, it } from "vitest";
import { typed } from "./typeAhead";

describe("typed", () => {
  it("adds letters, also those of two code units", () => {
    expect(typed("hal", "l")).toBe("hall");
    expect(typed("", "🙂")).toBe("🙂");
    expect(typed("a", " ")).toBe("a ");
  });

  it("takes the last letter back, whole", () => {
    expect(typed("ab", "Backspace")).toBe("a");
    expect(typed("a🙂", "Backspace")).toBe("a");
    expect(typed("", "Backspace")).toBe("");
  });

  it("leaves other keys to others", () => {
    for (const key of ["Enter", "Escape", "ArrowDown", "Tab", "F5"])
      expect(typed("a", key)).toBeNull();
  });
});
