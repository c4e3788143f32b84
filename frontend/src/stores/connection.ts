// The state of the four links between the viewer and the devices: page, Redis, bridge, broker.

import { defineStore } from "pinia";
import { computed, ref, shallowRef, watch } from "vue";
import type { BrokerStatusReply } from "@/contract/types";
import { duration, sentence } from "@/format";
import { t } from "@/i18n";
import { said } from "@/i18n/said";
import { now } from "@/live/clock";
import { openSocket } from "@/live/socket";
import { useSession } from "./session";
import { brokerPart, bridgePart, type Part, pagePart, redisPart } from "./parts";

/** The server speaks every 2 s; longer silence than this means that nothing shown is fresh. */
export const SILENCE_S = 5;

/** An answer in which a bridge spoke, and when it came. */
export interface Told {
  reply: BrokerStatusReply;
  at: number;
}

export const useConnection = defineStore("connection", () => {
  const session = useSession();
  const socket = openSocket();
  const online = ref(false);
  const everOnline = ref(false);
  const lostAt = ref(Date.now() / 1000);
  const heardAt = ref(0);
  const status = shallowRef<BrokerStatusReply | null>(null);
  /** What the bridge said last: shown, as of then, while it is silent or cannot be asked. */
  const told = shallowRef<Told | null>(null);
  const demo = ref(false);

  socket.on("connect", () => {
    online.value = true;
    everOnline.value = true;
    heardAt.value = Date.now() / 1000;
  });
  socket.on("disconnect", () => {
    online.value = false;
    lostAt.value = Date.now() / 1000;
    // Perhaps the session has ended, or rights were changed.
    void session.refresh();
  });
  socket.on("connect_error", () => void session.refresh());
  watch(
    () => session.signedIn,
    (known) => (known ? socket.connect() : socket.disconnect()),
    { immediate: true },
  );
  socket.on("broker_status", (reply) => {
    heardAt.value = Date.now() / 1000;
    status.value = reply;
    if (reply.bridge.alive) told.value = { reply, at: heardAt.value };
  });

  const silence = computed(() => Math.max(0, now.value - heardAt.value));
  const live = computed(() => online.value && silence.value < SILENCE_S);
  const page = computed<Part>(() =>
    pagePart(live.value, everOnline.value, Math.max(heardAt.value, lostAt.value)),
  );
  const redis = computed(() => redisPart(status.value, live.value));
  const bridge = computed(() => bridgePart(status.value, live.value));
  const broker = computed(() => brokerPart(status.value, live.value));
  /** Nothing new can arrive from the broker: what is shown is the past. */
  const stale = computed(() => !live.value || status.value?.connected !== true);

  /** What is broken first on the way, in words, with what to do; null when all is well. */
  const trouble = computed(() => {
    if (!everOnline.value && !status.value && silence.value < SILENCE_S) return null;
    if (!live.value) {
      return {
        title: heardAt.value
          ? t("parts.trouble.serverSince", { span: duration(silence.value) })
          : t("parts.trouble.server"),
        text: t("parts.trouble.serverText"),
      };
    }
    const reply = status.value;
    if (!reply) return null;
    if (reply.redis.status === "down") {
      return {
        title: t("parts.trouble.redis"),
        text: [sentence(said(reply.redis.reason ?? "")), t("parts.trouble.redisText")].join(" "),
      };
    }
    if (reply.bridge.alive === false) {
      return { title: t("parts.trouble.bridge"), text: t("parts.trouble.bridgeText") };
    }
    if (reply.connected === false) {
      return { title: t("parts.trouble.broker"), text: sentence(said(reply.reason)) };
    }
    return null;
  });

  return {
    socket,
    online,
    status,
    told,
    heardAt,
    live,
    page,
    redis,
    bridge,
    broker,
    stale,
    trouble,
    demo,
  };
});
