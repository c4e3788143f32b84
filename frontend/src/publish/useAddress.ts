// The address of the Publish page says what is written in its form; one that is followed fills it in.

import { onMounted, onScopeDispose, watch } from "vue";
import { useRoute, useRouter } from "vue-router";
import { useDraft } from "@/stores/draft";
import { draftFrom, queryOfDraft, speaks } from "./address";

const TYPING_MS = 300;

export function useAddress(): void {
  const route = useRoute();
  const router = useRouter();
  const drafting = useDraft();
  let typing: ReturnType<typeof setTimeout> | undefined;
  let written = "";

  /** Fill in what an address says, unless it says what is there; that may be more than it holds. */
  function follow(): void {
    if (!speaks(route.query)) return;
    const wanted = draftFrom(route.query);
    const isThere =
      JSON.stringify(queryOfDraft(wanted)) === JSON.stringify(queryOfDraft(drafting.draft));
    if (!isThere) drafting.use(wanted);
  }

  function write(): void {
    clearTimeout(typing);
    const query = queryOfDraft(drafting.draft);
    written = JSON.stringify(query);
    if (written !== JSON.stringify(route.query)) void router.replace({ query });
  }

  if (!drafting.isNewerThan(location.search)) follow();
  onMounted(write);
  watch(drafting.draft, () => {
    clearTimeout(typing);
    typing = setTimeout(write, TYPING_MS);
  });
  watch(
    () => route.query,
    (now) => {
      // What is typed while an address is being written is newer than it.
      if (route.name !== "publish" || JSON.stringify(now) === written) return;
      follow();
      write();
    },
  );
  onScopeDispose(() => clearTimeout(typing));
}
