import { describe, expect, it } from "vitest";
import type { ClientInfo } from "@/contract/types";
import { chosen, sorted } from "./sorting";

const client = (client_id: string, more: Partial<ClientInfo> = {}): ClientInfo => ({
  client_id,
  connected: true,
  address: null,
  port: null,
  protocol: null,
  clean_start: null,
  keepalive_s: null,
  username: null,
  since: null,
  last_reason: null,
  first_seen: null,
  last_seen: null,
  connects: 0,
  refused: 0,
  subscriptions: null,
  subscriptions_left_out: 0,
  subscriptions_complete: false,
  ...more,
});
const ids = (clients: ClientInfo[]) => clients.map((one) => one.client_id);

describe("the clients' list", () => {
  const list = [
    client("Lamp-2", { username: "bob", address: "192.0.2.7", since: 5 }),
    client("lamp-1", { connected: false, since: 9, last_reason: "timeout" }),
    client("meter", { connected: null, subscriptions: [{ filter: "Plant/#", qos: 1 }] }),
  ];

  it("finds every word in any field, in any letter case", () => {
    expect(ids(chosen(list, "LAMP bob", "all"))).toEqual(["Lamp-2"]);
    expect(ids(chosen(list, "plant", "all"))).toEqual(["meter"]);
    expect(chosen(list, "lamp plant", "all")).toEqual([]);
  });

  it("takes unknown for neither connected nor gone", () => {
    expect(ids(chosen(list, "", "connected"))).toEqual(["Lamp-2"]);
    expect(ids(chosen(list, "", "gone"))).toEqual(["lamp-1"]);
  });

  it("sorts with the unknown last, both ways", () => {
    expect(ids(sorted(list, { column: "since", down: false }))).toEqual([
      "Lamp-2",
      "lamp-1",
      "meter",
    ]);
    expect(ids(sorted(list, { column: "since", down: true }))).toEqual([
      "lamp-1",
      "Lamp-2",
      "meter",
    ]);
    expect(ids(sorted(list, { column: "client_id", down: false }))[0]).toBe("lamp-1");
  });
});
