// Whether a topic can be published to by this person; if not, why, in words.

import { computed } from "vue";
import { allows } from "@/auth/rights";
import { t } from "@/i18n";
import { useConnection } from "@/stores/connection";
import { useSession } from "@/stores/session";
import { topicProblem } from "@/topics/filter";

export function usePublishable(topic: () => string) {
  const connection = useConnection();
  const session = useSession();

  /** What is wrong with the topic, or that it is none of this person's. */
  const topicTrouble = computed(() => {
    const name = topic();
    if (!name) return null;
    const grant = session.me?.publish ?? null;
    // Who may do everything may also talk to the broker's own topics, if the bridge allows it.
    const problem = topicProblem(grant?.everything ? name.replace(/^\$/, "") : name);
    if (problem || !session.canOperate || allows(grant, name)) return problem;
    return t("auth.topicNotAllowed", { filters: grant?.filters.join(", ") || t("auth.nothing") });
  });
  // Until a bridge says otherwise it is taken for granted; the bridge refuses what it cannot send.
  const speaks5 = computed(() => connection.status?.broker.protocol !== "3.1.1");

  return { topicTrouble, speaks5 };
}
