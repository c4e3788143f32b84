import { describe, expect, it } from "vitest";
import type { MeReply } from "@/contract/types";
import { allows, hasRole } from "./rights";

const me: MeReply = {
  mode: "required",
  signed_in: true,
  name: "ada",
  role: "operator",
  kind: "password",
  read: { filters: ["#"], everything: false },
  publish: { filters: ["lamps/#"], everything: false },
  expires_at: null,
  provider: null,
  sign_out_at: null,
};

describe("rights", () => {
  it("follow the order of the roles", () => {
    expect(hasRole(me, "viewer")).toBe(true);
    expect(hasRole(me, "administrator")).toBe(false);
    expect(hasRole(null, "viewer")).toBe(false);
  });
  it("are judged by filters, and $ needs to be spelt out", () => {
    expect(allows(me.publish, "lamps/1")).toBe(true);
    expect(allows(me.publish, "doors/1")).toBe(false);
    expect(allows(me.read, "$SYS/x")).toBe(false);
    expect(allows({ filters: [], everything: true }, "$SYS/x")).toBe(true);
  });
});
