// What the Topics page shows, in its address: to be kept, handed on, and gone back to.

import type { LocationQuery } from "vue-router";
import type { MessageNumber } from "./shown";

export const VIEWS = ["value", "messages", "difference", "plot"] as const;
export type View = (typeof VIEWS)[number];

export interface Settings {
  /** What is searched for. */
  text: string;
  inValues: boolean;
  topic: string | null;
  view: View;
  /** The number that is plotted, as `rooms[2].temperature`; null for the first there is. */
  path: string | null;
  /** An earlier message that is shown instead of the newest. */
  message: MessageNumber | null;
  /** What it is compared with; null for the one before. */
  before: MessageNumber | null;
}

export function fromQuery(query: LocationQuery): Settings {
  const word = (name: string): string | null => {
    const value = query[name];
    return typeof value === "string" && value !== "" ? value : null;
  };
  const topic = word("topic");
  const view = VIEWS.find((one) => one === word("view")) ?? "value";
  return {
    text: word("q") ?? "",
    inValues: word("in") !== "names",
    topic,
    view: topic === null ? "value" : view,
    path: topic === null ? null : word("path"),
    message: topic === null ? null : numberFrom(word("message")),
    before: topic === null ? null : numberFrom(word("with")),
  };
}

/** The query of an address for these settings; what is as always is left out. */
export function toQuery(settings: Settings): Record<string, string> {
  const query: Record<string, string> = {};
  const { topic, view, path, message, before } = settings;
  const text = settings.text.trim();
  if (text) query.q = text;
  if (!settings.inValues) query.in = "names";
  if (topic === null) return query;
  query.topic = topic;
  if (view !== "value") query.view = view;
  if (path !== null && view === "plot") query.path = path;
  if (message) query.message = numberText(message);
  if (before && view === "difference") query.with = numberText(before);
  return query;
}

export function isSame(left: Settings, right: Settings): boolean {
  return JSON.stringify(toQuery(left)) === JSON.stringify(toQuery(right));
}

export function numberText({ epoch, seq }: MessageNumber): string {
  return `${epoch}.${seq}`;
}

function numberFrom(text: string | null): MessageNumber | null {
  const found = /^(\d{1,15})\.(\d{1,15})$/.exec(text ?? "");
  return found ? { epoch: Number(found[1]), seq: Number(found[2]) } : null;
}
