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
  or: "oder",
  with: "Anmelden mit {provider}",
  notSignedIn: "Sie sind nicht angemeldet",
  refused: {
    denied: "Die Anmeldung bei {provider} wurde abgebrochen.",
    expired:
      "Diese Anmeldung hat zu lange gedauert oder begann in einem anderen Fenster. Bitte noch einmal.",
    no_role:
      "{provider} kennt Sie, aber Sie haben hier keine Rolle. Fragen Sie, wer dieses Dashboard betreut.",
    no_name: "{provider} nennt Ihren Namen nicht. Fragen Sie, wer dieses Dashboard betreut.",
    invalid: "Der Antwort von {provider} war nicht zu trauen. Mehr steht im Log des Dashboards.",
    provider:
      "{provider} ist nicht zu erreichen. Später noch einmal, oder mit einem Passwort anmelden.",
  },
  menu: "Angemeldet als {name}",
  signOut: "Abmelden",
  roles: { viewer: "Zuschauer", operator: "Bediener", administrator: "Verwalter" },
  viewerCannotPublish:
    "Sie sind als Zuschauer angemeldet. Zum Senden braucht es die Rolle Bediener.",
  topicNotAllowed: "Sie dürfen senden an: {filters}",
  nothing: "nichts",
};
