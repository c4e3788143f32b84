// The live channel: one websocket, typed by the contract.

import { io, type Socket } from "socket.io-client";
import type { ClientEvents, ServerEvents } from "@/contract/types";

export type LiveSocket = Socket<ServerEvents, ClientEvents>;

/** Where the application is mounted, with a slash at the end: the parent of the assets folder. */
export function basePath(): string {
  const script = document.querySelector<HTMLScriptElement>('script[type="module"][src]');
  const folder = script ? new URL("..", script.src).pathname : "/";
  return folder.endsWith("/") ? folder : `${folder}/`;
}

/** Open the channel. It reconnects for ever, every one to three seconds. */
export function openSocket(): LiveSocket {
  return io({
    path: `${basePath()}socket.io`,
    transports: ["websocket"],
    reconnectionDelay: 800,
    reconnectionDelayMax: 3000,
    timeout: 4000,
  });
}
