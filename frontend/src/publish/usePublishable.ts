// Whether a message can be published to a topic now, by this person; if not, why, in words.

import { computed } from "vue";
import { allows } from "@/auth/rights";
import { sentence } from "@/format";
import { t } from "@/i18n";
import { said } from "@/i18n/said";
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
  /** Why nothing can be published at all. */
  const impossible = computed(() => {
    if (!session.canOperate) return t("auth.viewerCannotPublish");
    if (!connection.live) return t("publish.noContact");
    const status = connection.status;
    if (!status) return t("publish.noReport");
    if (status.connected === true) return null;
    return connection.trouble?.text ?? sentence(said(status.reason));
  });
  // Until a bridge says otherwise it is taken for granted; the bridge refuses what it cannot send.
  const speaks5 = computed(() => connection.status?.broker.protocol !== "3.1.1");

  return { topicTrouble, impossible, speaks5 };
}
