// The page's settings and its address, kept alike: each change of one becomes one of the other.

import { watch } from "vue";
import { useRoute, useRouter } from "vue-router";
import { fromQuery, isSame, type Settings, toQuery } from "./settings";

const PAGE = "topics";

/**
 * `read` gives what is shown, `apply` shows what an address says: a link followed on this page, the
 * browser's own way back, the menu.
 */
export function useAddress(read: () => Settings, apply: (wanted: Settings) => void) {
  const route = useRoute();
  const router = useRouter();

  function write(as: "push" | "replace"): void {
    if (route.name !== PAGE || isSame(read(), fromQuery(route.query))) return;
    void router[as]({ name: PAGE, query: toQuery(read()) });
  }

  /** Go back when the step before was this page without a topic; false when it was not. */
  function backToList(): boolean {
    const before: unknown = (history.state as { back?: unknown } | null)?.back;
    if (typeof before !== "string") return false;
    const { name, query } = router.resolve(before);
    if (name !== PAGE || !isSame(fromQuery(query), { ...read(), topic: null })) return false;
    router.back();
    return true;
  }

  watch(
    () => route.query,
    (query) => {
      const wanted = fromQuery(query);
      if (route.name === PAGE && !isSame(wanted, read())) apply(wanted);
    },
  );

  return { first: fromQuery(route.query), write, backToList };
}
