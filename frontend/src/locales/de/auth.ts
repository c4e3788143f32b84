import type { Texts } from "@/i18n";
import type { auth as en } from "../en/auth";

export const auth: Texts<typeof en> = {
  title: "Anmelden",
  name: "Benutzername",
  password: "Passwort",
  submit: "Anmelden",
  working: "Wird angemeldet",
  wrong: "Name oder Passwort ist falsch.",
  wait: "Zu viele Versuche. Erneut möglich in {seconds} s.",
  ended: "Sie wurden abgemeldet",
  endedText:
    "Die Sitzung ist zu Ende oder Ihre Rechte wurden geändert. Nach dem Anmelden geht es hier weiter.",
  noContact: "Der Dashboard-Server antwortet nicht.",
  unknown: "Wer Sie sind, lässt sich nicht feststellen",
  again: "Wird alle paar Sekunden wieder versucht.",
  showPassword: "Passwort zeigen",
  hidePassword: "Passwort verbergen",
  first: "Zum ersten Mal hier? Der Server hat das Passwort von admin beim Start ausgegeben.",
  menu: "Angemeldet als {name}",
  signOut: "Abmelden",
  roles: { viewer: "Zuschauer", operator: "Bediener", administrator: "Verwalter" },
  viewerCannotPublish:
    "Sie sind als Zuschauer angemeldet. Zum Senden braucht es die Rolle Bediener.",
  topicNotAllowed: "Sie dürfen senden an: {filters}",
  nothing: "nichts",
};
