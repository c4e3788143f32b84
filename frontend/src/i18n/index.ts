// The page's languages: English and German, chosen by the browser or by hand; remembered.

import { computed, ref } from "vue";
import { createI18n } from "vue-i18n";
import { en } from "@/locales/en";

/** A set of texts as deep as the English one, of any wording. */
export type Texts<T = typeof en> = {
  readonly [K in keyof T]: T[K] extends string ? string : Texts<T[K]>;
};

type Paths<T> = {
  [K in keyof T & string]: T[K] extends string ? K : `${K}.${Paths<T[K]>}`;
}[keyof T & string];

/** The name of a text, such as `topics.empty.title`; a name that does not exist is a type error. */
export type TextKey = Paths<typeof en>;

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;
export type LanguageChoice = Language | "system";

const KEY = "mqtt-dashboard.language";

const i18n = createI18n<false>({
  legacy: false,
  locale: "en",
  fallbackLocale: "en",
  messages: { en: en as never },
});

/** The language shown now. Texts and numbers read it, so that all follow when it changes. */
export const language = computed(() => i18n.global.locale.value as Language);
export const languageChoice = ref<LanguageChoice>(stored());

/**
 * The text of a name in the language shown. `values` fill its {placeholders}; `amount` chooses
 * between the forms that a text with a bar has: "one row | {n} rows".
 */
export function t(key: TextKey, values: Record<string, unknown> = {}, amount?: number): string {
  if (amount === undefined) return i18n.global.t(key, values);
  return i18n.global.t(key, { n: amount, ...values }, amount);
}

/** Show a language; its texts are loaded first. */
export async function choose(choice: LanguageChoice): Promise<void> {
  languageChoice.value = choice;
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // Without storage the choice holds until the page is closed.
  }
  await show(choice === "system" ? ofBrowser() : choice);
}

/** Show what was chosen before, or what the browser asks for. To be awaited before mounting. */
export async function begin(): Promise<void> {
  await show(languageChoice.value === "system" ? ofBrowser() : languageChoice.value);
}

async function show(wanted: Language): Promise<void> {
  if (wanted === "de" && !i18n.global.availableLocales.includes("de" as never)) {
    const { de } = await import("@/locales/de");
    i18n.global.setLocaleMessage("de", de as never);
  }
  i18n.global.locale.value = wanted as never;
  document.documentElement.lang = wanted;
}

function ofBrowser(): Language {
  const first = navigator.languages.find((one) => /^(en|de)\b/i.test(one));
  return first?.toLowerCase().startsWith("de") ? "de" : "en";
}

function stored(): LanguageChoice {
  try {
    const value = localStorage.getItem(KEY);
    return value === "en" || value === "de" ? value : "system";
  } catch {
    return "system";
  }
}
