import type { Texts } from "@/i18n";
import type { app as en } from "../en/app";

export const app: Texts<typeof en> = {
  unknown: "unbekannt",
  notProvided: "nicht geliefert",
  ago: "vor {span}",
  copied: "Kopiert",
  notCopied: "Konnte nicht kopiert werden",
  copyCommand: "Den Befehl kopieren",
  skip: "Zum Inhalt springen",
  home: "MQTT Dashboard, Überblick",
  pages: "Seiten",
  foot: "Eine Verbindung zum Broker, beliebig viele Zuschauer.",
  page: {
    overview: "Überblick",
    monitor: "Monitor",
    topics: "Topics",
    clients: "Clients",
    publish: "Senden",
    system: "System",
    people: "Benutzer",
    audit: "Protokoll",
    missing: "Nicht gefunden",
  },
  connection: "Verbindung",
  part: { page: "Seite", broker: "Broker", bridge: "Bridge", redis: "Redis" },
  demo: "Demodaten",
  demoHint: "Topics unter demo/ sind erfunden",
  theme: "Farbschema: {theme}. Ändern",
  themes: { system: "wie das System", light: "hell", dark: "dunkel" },
  language: "Sprache",
  languageSystem: "Wie der Browser",
  missing: {
    text: "Unter dieser Adresse gibt es keine Seite.",
    link: "Zum Überblick",
  },
};
