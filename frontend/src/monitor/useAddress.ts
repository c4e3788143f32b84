// The address of the monitor always says what is shown, to be kept or handed on: filters, condition,
// pause, and the message whose details are open. An address that is followed here is obeyed.

import { computed, onMounted, onScopeDispose, ref, watch } from "vue";
import { useRoute, useRouter } from "vue-router";
import { useMessages } from "@/stores/messages";
import { fromText, keyOf, lookUp, type Place, rowOf, toText } from "./link";
import { fromQuery, toQuery } from "./settings";

export function useAddress() {
  const route = useRoute();
  const router = useRouter();
  const messages = useMessages();
  /** A message that the address names and that is not at hand: looked for, or not to be found. */
  const wanted = ref<{ place: Place; isGone: boolean } | null>(null);
  let looking: AbortController | null = null;

  const query = computed(() => {
    const { filters, where, paused, selected } = messages;
    const found = toQuery({ filters, where, paused });
    const place = selected?.message ?? wanted.value?.place;
    return place ? { ...found, message: toText(place) } : found;
  });

  function open(text: unknown): void {
    const place = fromText(text);
    if (!place || (messages.selected && toText(messages.selected.message) === text)) return;
    messages.selected = messages.rowOf(keyOf(place));
    close();
    if (messages.selected) return;
    wanted.value = { place, isGone: false };
    void look(place, (looking = new AbortController()));
  }

  async function look(place: Place, mine: AbortController): Promise<void> {
    const found = await lookUp(place, mine.signal).catch(() => null);
    if (mine.signal.aborted) return;
    if (found) {
      wanted.value = null;
      messages.selected = rowOf(found);
    } else wanted.value = { place, isGone: true };
  }

  /** Look for nothing any more. */
  function close(): void {
    looking?.abort();
    wanted.value = null;
  }

  function follow(): void {
    messages.begin((known) => fromQuery(route.query, known));
    open(route.query.message);
  }

  follow();
  let written = "";
  watch(
    query,
    (now) => {
      written = JSON.stringify(now);
      void router.replace({ query: now });
    },
    { deep: true },
  );
  onMounted(() => {
    written = JSON.stringify(query.value);
    if (written !== JSON.stringify(route.query)) void router.replace({ query: query.value });
  });
  // A link to this page, followed on this page, such as from the command palette.
  watch(
    () => route.query,
    (now) => {
      if (route.name !== "monitor" || JSON.stringify(now) === written) return;
      follow();
      void router.replace({ query: query.value });
    },
  );
  onScopeDispose(() => looking?.abort());

  return { wanted, close };
}
