// Who is looking: known before anything else of the page works, and asked again when in doubt.

import { defineStore } from "pinia";
import { computed, ref, shallowRef } from "vue";
import { call, Refusal } from "@/auth/api";
import { hasRole } from "@/auth/rights";
import { watchRequests } from "@/auth/watch";
import type { MeReply } from "@/contract/types";
import { t } from "@/i18n";

const AGAIN_MS = 3000;

export const useSession = defineStore("session", () => {
  const me = shallowRef<MeReply | null>(null);
  /** Why it cannot be known who is looking; null when it is known. */
  const trouble = ref<string | null>(null);
  const ended = ref(false);
  let before: string | null = null;
  let asking: Promise<void> | null = null;

  const signedIn = computed(() => me.value?.signed_in === true);
  const canOperate = computed(() => hasRole(me.value, "operator"));
  const canAdminister = computed(() => hasRole(me.value, "administrator"));

  function take(reply: MeReply): void {
    if (signedIn.value && !reply.signed_in) ended.value = true;
    // What the page still holds was for somebody else's eyes.
    if (reply.signed_in && before !== null && reply.name !== before) location.reload();
    if (reply.signed_in) {
      before = reply.name;
      ended.value = false;
    }
    me.value = reply;
    trouble.value = null;
  }

  async function ask(): Promise<void> {
    try {
      take(await call<MeReply>("GET", "auth/me"));
    } catch (error) {
      if (me.value === null) {
        trouble.value = error instanceof Refusal ? error.message : t("auth.noContact");
        setTimeout(() => void refresh(), AGAIN_MS);
      }
    }
  }

  /** Ask the server who is looking; one question at a time. */
  function refresh(): Promise<void> {
    asking ??= ask().finally(() => (asking = null));
    return asking;
  }

  async function login(name: string, password: string): Promise<void> {
    take(await call<MeReply>("POST", "auth/login", { name, password }));
  }

  /** End the session and forget everything the page holds. */
  async function logout(): Promise<void> {
    const { sign_out_at: elsewhere } = await call<MeReply>("POST", "auth/logout");
    if (elsewhere) location.assign(elsewhere);
    else location.reload();
  }

  watchRequests(() => void refresh());

  return {
    me,
    trouble,
    ended,
    signedIn,
    canOperate,
    canAdminister,
    refresh,
    login,
    logout,
  };
});
