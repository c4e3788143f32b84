import type { Texts } from "@/i18n";
import type { parts as en } from "../en/parts";

export const parts: Texts<typeof en> = {
  word: {
    waiting: "wartet",
    unknown: "unbekannt",
    live: "live",
    connecting: "verbindet",
    starting: "startet",
    lost: "verloren",
    up: "läuft",
    down: "gestört",
    standby: "in Bereitschaft",
    running: "läuft",
    silent: "stumm",
    connected: "verbunden",
    disconnected: "getrennt",
  },
  reason: {
    waiting: "Noch keine Meldung.",
    outOfSight: "Diese Seite hat den Kontakt zum Server verloren.",
    live: "Werte kommen an, sobald sie sich ändern.",
    opening: "Der Live-Kanal wird geöffnet.",
    reconnecting: "Die Verbindung zum Server wird wieder aufgebaut.",
    redisUp: "Antwortet innerhalb seiner Frist.",
    redisDown: "Es antwortet nicht.",
    redisUnknown: "Noch nicht gefragt.",
    bridgeAlive: "Erneuert ihren Zustand jede Sekunde.",
    bridgeStart: "Starten mit: mqtt-bridge",
    bridgeUnknown: "Redis kann nicht nach ihr gefragt werden.",
    brokerUnknown: "Die Bridge sagt es nicht.",
  },
  trouble: {
    server: "Kein Kontakt zum Dashboard-Server",
    serverSince: "Kein Kontakt zum Dashboard-Server seit {span}",
    serverText:
      "Alles hierunter ist von vorher. Die Seite verbindet sich von selbst neu; wenn nicht, prüfen, ob `mqtt-dashboard serve` läuft.",
    redis: "Redis antwortet nicht",
    redisText:
      "Die Werte hierunter sind von vorher. Bridge und Broker lassen sich solange nicht beurteilen.",
    bridge: "Die Bridge ist stumm",
    bridgeText:
      "Es kommen keine neuen Werte an, und nichts kann gesendet werden. Starten mit: mqtt-bridge",
    broker: "Der Broker ist nicht verbunden",
  },
};
