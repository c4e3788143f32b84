// The one repetition of this page: begun on the Publish page, it goes on while others are shown, in
// sight in their frame, and ends with the page.

import { defineStore } from "pinia";
import { watch } from "vue";
import { repeating } from "@/publish/repeat";
import { useSession } from "./session";

export const useRepeating = defineStore("repeating", () => {
  const session = useSession();
  const one = repeating();
  // Who may not publish any more, or has left, has nothing repeated.
  watch(
    () => session.canOperate,
    (may) => {
      if (!may) one.stop();
    },
  );
  return one;
});
