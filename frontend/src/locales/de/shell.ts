import type { Texts } from "@/i18n";
import type { shell as en } from "../en/shell";

export const shell: Texts<typeof en> = {
  close: "Schließen",
  unreachable: "Der Server ist nicht erreichbar.",
  answered: "Der Server antwortete {status}.",
  search: "Suchen",
  searchHint: "Suchen oder zu einer Seite springen (Strg + K)",
  palette: {
    title: "Befehle",
    placeholder: "Eine Seite, ein Topic, ein Filter, eine Einstellung …",
    none: "Nichts passt.",
    page: "Seite",
    setting: "Einstellung",
    topic: "Topic",
    theme: "Farbschema: {theme}",
    watch: "{filter} beobachten",
    publish: "An {topic} senden",
    search: "Topics nach „{text}“ durchsuchen",
  },
  help: {
    title: "Tastenkürzel",
    everywhere: "Überall",
    pages: "Seiten",
    lists: "Listen und Baum",
    palette: "Befehle",
    search: "Auf dieser Seite oder unter den Topics suchen",
    help: "Diese Kürzel",
    escape: "Schließen, leeren",
    pause: "Anhalten oder weiter (Monitor)",
    move: "Auf und ab",
    fold: "Ebene öffnen und schließen",
    open: "Einzelheiten zeigen",
    send: "Senden",
  },
};
