import { describe, expect, it } from "vitest";
import type { Capabilities } from "@/contract/types";
import { grouped } from "./offers";

describe("what a broker offers", () => {
  it("gives a hint once, to all that share it", () => {
    const offers = {
      statistics: true,
      load_averages: true,
      retained_count: true,
      client_names: true,
      client_addresses: null,
      client_subscriptions: true,
      disconnect_reasons: null,
      kick: false,
      dynamic_security: null,
      hints: {
        statistics: "not needed",
        client_addresses: "set the log",
        disconnect_reasons: "set the log",
        kick: "never",
      },
    } as unknown as Capabilities;
    const rows = grouped(offers);
    expect(rows).toContainEqual({
      names: ["client_addresses", "disconnect_reasons"],
      has: null,
      hint: "set the log",
    });
    expect(rows).toContainEqual({ names: ["statistics"], has: true, hint: null });
    expect(rows).toContainEqual({ names: ["dynamic_security"], has: null, hint: null });
    expect(rows.flatMap((row) => row.names)).toHaveLength(9);
  });
});
