// The earlier message that is looked at: one of those at hand, or else from the log.

import { computed, type Ref, ref, shallowRef, watch } from "vue";
import type { MessageReceived } from "@/contract/types";
import { numberText } from "./settings";
import type { MessageNumber } from "./shown";
import { isGone, type Wholes } from "./wholes";

export function usePicked(
  topic: Ref<string>,
  number: Ref<MessageNumber | null>,
  messages: Ref<readonly MessageReceived[]>,
  wholes: Wholes,
) {
  const found = shallowRef<MessageReceived | null>(null);
  /** Why there is none although one is wanted. */
  const lost = ref<"gone" | "failed" | null>(null);
  const key = computed(() => (number.value ? `${numberText(number.value)} ${topic.value}` : null));
  let asked: string | null = null;

  function isWanted(one: MessageReceived): boolean {
    return `${numberText(one)} ${one.topic}` === key.value;
  }

  function look(): void {
    if (found.value && isWanted(found.value)) return;
    found.value = messages.value.find(isWanted) ?? null;
    if (!found.value && number.value && asked !== key.value) void ask(number.value);
  }

  async function ask(wanted: MessageNumber): Promise<void> {
    const mine = (asked = key.value);
    try {
      const message = await wholes.get(topic.value, wanted);
      if (mine === key.value) found.value = message;
    } catch (error) {
      if (mine === key.value && !found.value) lost.value = isGone(error) ? "gone" : "failed";
    }
  }

  watch(
    key,
    () => {
      lost.value = asked = null;
      look();
    },
    { immediate: true },
  );
  watch(messages, look);

  const picked = computed(() => (key.value === null ? null : found.value));
  const isLooking = computed(
    () => key.value !== null && picked.value === null && lost.value === null,
  );
  return { picked, lost, isLooking };
}
