// What the command palette offers for a text: pages, settings, and the topic or filter it names.

import type { IconName } from "@/components/ui/AppIcon.vue";
import { choose, LANGUAGES, type LanguageChoice, t } from "@/i18n";
import type { Choice } from "@/stores/theme";
import type { PageEntry } from "./pages";
import { filterProblem, topicProblem } from "@/topics/filter";

export interface Command {
  key: string;
  label: string;
  hint: string;
  icon: IconName;
  run: () => void;
}

export interface Deeds {
  pages: readonly PageEntry[];
  go: (path: string, query?: Record<string, string>) => void;
  theme: (choice: Choice) => void;
  help: () => void;
}

/** Commands that do not depend on what is typed, narrowed to those that hold every word of it. */
export function fixedCommands(text: string, deeds: Deeds): Command[] {
  const themes: Choice[] = ["light", "dark", "system"];
  const languages: LanguageChoice[] = ["en", "de", "system"];
  const all: Command[] = [
    ...deeds.pages.map((page) => ({
      key: `page ${page.path}`,
      label: t(page.label),
      hint: t("shell.palette.page"),
      icon: page.icon,
      run: () => deeds.go(page.path),
    })),
    ...themes.map((theme) => ({
      key: `theme ${theme}`,
      label: t("shell.palette.theme", { theme: t(`app.themes.${theme}`) }),
      hint: t("shell.palette.setting"),
      icon: { light: "sun", dark: "moon", system: "system" }[theme] as IconName,
      run: () => deeds.theme(theme),
    })),
    ...languages.map((language) => ({
      key: `language ${language}`,
      label: `${t("app.language")}: ${language === "system" ? t("app.languageSystem") : LANGUAGES[language]}`,
      hint: t("shell.palette.setting"),
      icon: "globe" as const,
      run: () => void choose(language),
    })),
    {
      key: "help",
      label: t("shell.help.title"),
      hint: "?",
      icon: "keyboard",
      run: deeds.help,
    },
  ];
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter((one) =>
    words.every((word) => `${one.label} ${one.key}`.toLowerCase().includes(word)),
  );
}

/** What can be done with the text itself, as a filter or as a topic. */
export function textCommands(text: string, deeds: Deeds): Command[] {
  const given = text.trim();
  if (!given) return [];
  const found: Command[] = [];
  if (filterProblem(given) === null)
    found.push({
      key: "watch",
      label: t("shell.palette.watch", { filter: given }),
      hint: t("app.page.monitor"),
      icon: "monitor",
      run: () => deeds.go("/monitor", { f: given }),
    });
  if (topicProblem(given) === null)
    found.push({
      key: "publish",
      label: t("shell.palette.publish", { topic: given }),
      hint: t("app.page.publish"),
      icon: "publish",
      run: () => deeds.go("/publish", { topic: given }),
    });
  found.push({
    key: "search",
    label: t("shell.palette.search", { text: given }),
    hint: t("app.page.topics"),
    icon: "search",
    run: () => deeds.go("/topics", { q: given }),
  });
  return found;
}
