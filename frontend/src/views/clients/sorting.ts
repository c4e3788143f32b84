// Filter and sort of the clients' list. Pure, so that it can be tested.

import type { ClientInfo } from "@/contract/types";

export const COLUMNS = [
  "client_id",
  "state",
  "since",
  "address",
  "protocol",
  "username",
  "subscriptions",
  "reason",
] as const;
export type Column = (typeof COLUMNS)[number];
export type Shown = "all" | "connected" | "gone";

export interface Order {
  column: Column;
  down: boolean;
}

/** Clients that hold every word of a text in id, user name, address or filters. */
export function chosen(clients: readonly ClientInfo[], text: string, shown: Shown): ClientInfo[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return clients.filter((client) => {
    if (shown === "connected" && client.connected !== true) return false;
    if (shown === "gone" && client.connected !== false) return false;
    if (!words.length) return true;
    const filters = client.subscriptions?.map((one) => one.filter) ?? [];
    const hay = [client.client_id, client.username, client.address, ...filters]
      .filter((one) => one !== null)
      .join("\n")
      .toLowerCase();
    return words.every((word) => hay.includes(word));
  });
}

/** The same clients in order; what is unknown comes last, whichever way. */
export function sorted(clients: readonly ClientInfo[], order: Order): ClientInfo[] {
  const sign = order.down ? -1 : 1;
  return [...clients].sort((left, right) => {
    const a = key(left, order.column);
    const b = key(right, order.column);
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    if (a < b) return -sign;
    if (a > b) return sign;
    return left.client_id < right.client_id ? -1 : 1;
  });
}

function key(client: ClientInfo, column: Column): string | number | null {
  switch (column) {
    case "client_id":
      return client.client_id.toLowerCase();
    case "state":
      return client.connected === null ? null : client.connected ? 0 : 1;
    case "since":
      return client.since;
    case "subscriptions":
      return client.subscriptions?.length ?? null;
    case "reason":
      return client.last_reason?.toLowerCase() ?? null;
    default:
      return client[column]?.toLowerCase() ?? null;
  }
}
