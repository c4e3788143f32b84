import { describe, expect, it } from "vitest";
import { pageOf, reasonIn } from "./provider";

describe("sign-in through a provider", () => {
  it("shows only reasons it knows", () => {
    expect(reasonIn("?sign_in=no_role")).toBe("no_role");
    expect(reasonIn("?sign_in=<b>call 555</b>")).toBeNull();
    expect(reasonIn("")).toBeNull();
  });

  it("leads back to the page below the base path", () => {
    expect(pageOf("/", "/monitor", "?filter=a%2F%23")).toBe("/monitor?filter=a%2F%23");
    expect(pageOf("/tools/mqtt/", "/tools/mqtt/topics", "?sign_in=denied&q=x")).toBe("/topics?q=x");
    expect(pageOf("/tools/mqtt/", "/tools/mqtt", "")).toBe("/");
  });
});
