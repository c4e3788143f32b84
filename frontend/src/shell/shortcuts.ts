// Keys that work on every page. Pure, so that it can be tested; `listen` attaches it.

/** Pages reached with `g` and a letter. */
export const PLACES = {
  o: "/",
  m: "/monitor",
  t: "/topics",
  c: "/clients",
  p: "/publish",
  s: "/system",
} as const;

export type Action =
  | { kind: "search" }
  | { kind: "palette" }
  | { kind: "help" }
  | { kind: "go"; to: string }
  | { kind: "wait" };

export interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  /** Whether the key goes into a field that takes text. */
  typing: boolean;
}

/** What a key means; `after` is the key pressed just before, if it was the first of two. */
export function meaning(pressed: Pressed, after: string | null): Action | null {
  const { key, typing } = pressed;
  if ((pressed.ctrlKey || pressed.metaKey) && key.toLowerCase() === "k") return { kind: "palette" };
  if (typing || pressed.ctrlKey || pressed.metaKey || pressed.altKey) return null;
  if (after === "g" && Object.hasOwn(PLACES, key))
    return { kind: "go", to: PLACES[key as keyof typeof PLACES] };
  if (key === "g") return { kind: "wait" };
  if (key === "/") return { kind: "search" };
  if (key === "?") return { kind: "help" };
  return null;
}

const TEXT_FIELDS =
  "textarea, select, [contenteditable], input:not([type=checkbox], [type=radio], [type=file])";
const SECOND_KEY_MS = 1200;

/** Attach the keys to the window; returns how to take them off again. */
export function listen(act: (action: Action) => void): () => void {
  let after: string | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function pressed(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing) return;
    const target = event.target instanceof HTMLElement ? event.target : null;
    const typing = target !== null && target.closest(TEXT_FIELDS) !== null;
    const action = meaning({ ...modifiers(event), key: event.key, typing }, after);
    clearTimeout(timer);
    after = null;
    if (!action) return;
    if (action.kind === "wait") {
      after = "g";
      timer = setTimeout(() => (after = null), SECOND_KEY_MS);
      return;
    }
    event.preventDefault();
    act(action);
  }

  window.addEventListener("keydown", pressed);
  return () => {
    clearTimeout(timer);
    window.removeEventListener("keydown", pressed);
  };
}

function modifiers(event: KeyboardEvent): Pick<Pressed, "ctrlKey" | "metaKey" | "altKey"> {
  return { ctrlKey: event.ctrlKey, metaKey: event.metaKey, altKey: event.altKey };
}
