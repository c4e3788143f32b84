import { describe, expect, it } from "vitest";
import sentences from "@/locales/de/server.json";
import { translator } from "./sentences";

const german = translator(sentences);

describe("sentences of the server", () => {
  it("are said in German, whole ones and those with something filled in", () => {
    expect(german("the broker closed the connection")).toBe(
      "der Broker hat die Verbindung geschlossen",
    );
    expect(german("Redis at 127.0.0.1:6379 does not answer in time")).toBe(
      "Redis unter 127.0.0.1:6379 antwortet nicht rechtzeitig",
    );
  });

  it("are sentences in their holes, too", () => {
    expect(german("connected with MQTT 5.0; the broker opened a new session")).toBe(
      "verbunden mit MQTT 5.0; der Broker hat eine neue Sitzung eröffnet",
    );
    expect(german("the broker refused the connection: bad user name or password")).toBe(
      "der Broker hat die Verbindung abgelehnt: falscher Benutzername oder falsches Passwort",
    );
    expect(
      german(
        "in mosquitto.conf sys_interval must not be 0; allow the bridge's account to subscribe to $SYS/#",
      ),
    ).toBe(
      "in mosquitto.conf darf sys_interval nicht 0 sein; dem Konto der Bridge erlauben, $SYS/# zu abonnieren",
    );
  });

  it("keep the broker's own words, and libraries', as they are", () => {
    expect(german("the broker ended the connection: quota used up (ask Ann)")).toBe(
      "der Broker hat die Verbindung beendet: quota used up (ask Ann)",
    );
    expect(german("not authorised (no such account)")).toBe("keine Berechtigung (no such account)");
    expect(german("payload_format: 1 says UTF-8 text, and the payload is not")).toBe(
      "payload_format: 1 heißt UTF-8-Text, und die Nutzdaten sind keiner",
    );
    expect(
      german("ws://10.0.0.1:80/mqtt answered HTTP 404: there is no websocket at this path"),
    ).toBe(
      "ws://10.0.0.1:80/mqtt antwortete mit HTTP 404: unter diesem Pfad gibt es keinen Websocket",
    );
    for (const own of ["", "kuerzlich", "alarm: door open; all fine", "{1}", "a".repeat(5000)])
      expect(german(own)).toBe(own);
  });

  it("are put together of several", () => {
    expect(german("the broker does not answer: 5 bytes of a packet in 20 s; backing off")).toBe(
      "der Broker antwortet nicht: 5 Bytes eines Pakets in 20 s; die nächsten Versuche kommen seltener",
    );
    expect(
      german(
        "not known to be accepted: Redis at a:1 does not answer in time; repeat it with the same Idempotency-Key",
      ),
    ).toBe(
      "ob angenommen, ist unbekannt: Redis unter a:1 antwortet nicht rechtzeitig; mit demselben Idempotency-Key wiederholen",
    );
  });

  it("come to an end whatever they are", () => {
    for (let n = 0; n < 50; n++) {
      const hostile = `${": ; , (".repeat(280)}${n}`;
      expect(german(`the broker refused: ${hostile}`)).toBe(`der Broker hat abgelehnt: ${hostile}`);
    }
  });
});
