// The condition on what is shown. While it is being written it is broken now and then: the last one
// that could be understood goes on to decide, and the page says so.

import { computed, ref } from "vue";
import type { MessageReceived } from "@/contract/types";
import { parse, type Test } from "@/topics/expression";

export function useCondition() {
  /** As it is written. */
  const where = ref("");
  const expression = computed(() => (where.value.trim() ? parse(where.value) : null));
  /** The one that decides; empty when all messages pass. */
  const applied = ref("");
  let test: Test | null = null;

  function set(text: string): void {
    where.value = text;
    const found = expression.value;
    if (found && !found.ok) return;
    test = found?.test ?? null;
    applied.value = found ? text : "";
  }

  function passes(message: MessageReceived): boolean {
    return test === null || test(message);
  }

  return { where, expression, applied, set, passes };
}
