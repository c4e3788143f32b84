// Text to the clipboard, and a word about it. Browsers lend their clipboard to https and to this
// machine only; on any other address the old way, over a selection, still works.

import { onScopeDispose, ref } from "vue";

export type CopyState = "idle" | "copied" | "failed";

const COPIED_MS = 1800;
const FAILED_MS = 5000;

/** Put text on the clipboard; false when the browser does not let us. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text);
  }
}

function copySelected(text: string): boolean {
  const before = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.className = "visually-hidden";
  field.setAttribute("aria-hidden", "true");
  // What lies behind an open dialog takes no focus.
  (document.querySelector("dialog[open]") ?? document.body).append(field);
  try {
    field.focus({ preventScroll: true });
    field.select();
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    field.remove();
    if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  }
}

/** One place to copy from, and what came of it for a short while. */
export function useCopy() {
  const state = ref<CopyState>("idle");
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function copy(text: string): Promise<boolean> {
    clearTimeout(timer);
    const done = await copyText(text);
    state.value = done ? "copied" : "failed";
    timer = setTimeout(() => (state.value = "idle"), done ? COPIED_MS : FAILED_MS);
    return done;
  }

  onScopeDispose(() => clearTimeout(timer));
  return { state, copy };
}
