// What the server says, in the language shown. The server speaks English; its sentences and their
// German words are in `locales/de/server.json`, which is loaded when German is shown.

import { shallowRef, watch } from "vue";
import { language } from "./index";
import { translator } from "./sentences";

type Saying = (text: string) => string;

const asItIs: Saying = (text) => text;
const saying = shallowRef<Saying>(asItIs);

watch(
  language,
  async (now) => {
    if (now === "en") {
      saying.value = asItIs;
      return;
    }
    const { default: sentences } = await import("@/locales/de/server.json");
    if (language.value === now) saying.value = translator(sentences);
  },
  { immediate: true },
);

/** A sentence of the server in the language shown; what is not known is shown as it is. */
export function said(text: string): string {
  return saying.value(text);
}
