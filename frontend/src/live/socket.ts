// The live channel: one websocket, typed by the contract.

import { io, type Socket } from "socket.io-client";
import type { ClientEvents, CreditRequest, ServerEvents } from "@/contract/types";

export type LiveSocket = Socket<ServerEvents, ClientEvents>;

/** Where the application is mounted, with a slash at the end: the parent of the assets folder. */
export function basePath(): string {
  const script = document.querySelector<HTMLScriptElement>('script[type="module"][src]');
  const folder = script ? new URL("..", script.src).pathname : "/";
  return folder.endsWith("/") ? folder : `${folder}/`;
}

interface Unanswered {
  connected: boolean;
  emit: (event: "credit", request: CreditRequest) => unknown;
}

/** Allow the server more frames. No answer is wanted, twenty times a second. */
export function giveCredit(socket: object, frames: number): void {
  const unanswered = socket as Unanswered;
  // What is given while there is no connection would be kept, and added to the next one's.
  if (unanswered.connected) unanswered.emit("credit", { frames });
}

/** Open the channel. It reconnects for ever, every one to three seconds. */
export function openSocket(): LiveSocket {
  return io({
    path: `${basePath()}socket.io`,
    transports: ["websocket"],
    reconnectionDelay: 800,
    reconnectionDelayMax: 3000,
    timeout: 4000,
    // Opened once it is known who is looking.
    autoConnect: false,
  });
}
