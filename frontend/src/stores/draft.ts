// What is written on the Publish page: it stays while one looks at other pages, and over a reload of
// this tab. Nobody else's eyes see it: it is kept for the one who wrote it.

import { defineStore } from "pinia";
import { reactive, shallowRef, watch } from "vue";
import { copyOf, type Draft, draftOf, emptyDraft } from "@/publish/draft";
import { useSession } from "./session";

const KEY = "mqtt-dashboard.publish.draft";
/** Longer payloads, such as files, do not outlive a reload: the browser's storage is small. */
const KEPT_CHARS = 1_000_000;
const TYPING_MS = 400;

export const useDraft = defineStore("draft", () => {
  // Asked once: when somebody else signs in, this page still holds what the one before wrote.
  const owner = useSession().me?.name ?? "";
  const kept = recall(owner);
  const draft = reactive<Draft>(kept.draft);
  /** What a template, a result or a link has taken the place of. */
  const earlier = shallowRef<Draft | null>(null);
  let typing: ReturnType<typeof setTimeout> | undefined;

  /** Fill in something else; what was written before can be brought back. */
  function use(given: Draft): void {
    const before = copyOf(draft);
    Object.assign(draft, copyOf(given));
    const isLost = !isSame(before, emptyDraft()) && !isSame(before, draft);
    earlier.value = isLost ? before : null;
  }

  function back(): void {
    if (earlier.value) use(earlier.value);
  }

  function save(): void {
    clearTimeout(typing);
    remember(owner, draft);
  }

  watch(draft, () => {
    clearTimeout(typing);
    typing = setTimeout(save, TYPING_MS);
  });
  window.addEventListener("pagehide", save);

  /** Once after a reload: what was typed last may not have come into the address any more. */
  function isNewerThan(address: string): boolean {
    const is = kept.address === address;
    kept.address = null;
    return is;
  }

  return { draft, earlier, use, back, isNewerThan };
});

function isSame(one: Draft, other: Draft): boolean {
  return JSON.stringify(copyOf(one)) === JSON.stringify(copyOf(other));
}

interface Kept {
  draft: Draft;
  /** What the address of the page said when it was kept. */
  address: string | null;
}

function recall(owner: string): Kept {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Record<
      string,
      unknown
    > | null;
    if (kept?.owner === owner) return { draft: draftOf(kept.draft), address: String(kept.address) };
  } catch {
    // Nothing of it can be used.
  }
  return { draft: emptyDraft(), address: null };
}

function remember(owner: string, draft: Draft): void {
  const isLong = draft.text.length > KEPT_CHARS;
  const kept = isLong ? { ...draft, text: "", fileName: null } : draft;
  try {
    if (isSame(kept, emptyDraft())) sessionStorage.removeItem(KEY);
    else
      sessionStorage.setItem(KEY, JSON.stringify({ owner, address: location.search, draft: kept }));
  } catch {
    // Without storage it lasts as long as the page.
  }
}
