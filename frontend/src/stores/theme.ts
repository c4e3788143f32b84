// Light, dark, or as the system says; remembered.

import { defineStore } from "pinia";
import { computed, ref, watchEffect } from "vue";

export type Choice = "light" | "dark" | "system";

const KEY = "mqtt-dashboard.theme";

export const useTheme = defineStore("theme", () => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const system = ref<"light" | "dark">(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => {
    system.value = dark.matches ? "dark" : "light";
  });
  const choice = ref<Choice>(read());
  const shown = computed(() => (choice.value === "system" ? system.value : choice.value));

  watchEffect(() => {
    document.documentElement.dataset.theme = shown.value;
  });

  function choose(value: Choice): void {
    choice.value = value;
    try {
      localStorage.setItem(KEY, value);
    } catch {
      // Without storage the choice holds until the page is closed.
    }
  }

  return { choice, shown, choose };
});

function read(): Choice {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === "light" || stored === "dark" ? stored : "system";
  } catch {
    return "system";
  }
}
