// The pages, in the order they are offered, and who has use for them.

import type { IconName } from "@/components/ui/AppIcon.vue";
import type { MeReply } from "@/contract/types";
import type { TextKey } from "@/i18n";

export interface PageEntry {
  path: string;
  label: TextKey;
  icon: IconName;
  /** Where people sign in: for everybody, or for administrators only. */
  only?: "signedIn" | "administrator";
}

const PAGES: readonly PageEntry[] = [
  { path: "/", label: "app.page.overview", icon: "overview" },
  { path: "/monitor", label: "app.page.monitor", icon: "monitor" },
  { path: "/topics", label: "app.page.topics", icon: "topics" },
  { path: "/clients", label: "app.page.clients", icon: "clients" },
  { path: "/publish", label: "app.page.publish", icon: "publish" },
  { path: "/system", label: "app.page.system", icon: "server" },
  { path: "/people", label: "app.page.people", icon: "clients", only: "signedIn" },
  { path: "/audit", label: "app.page.audit", icon: "save", only: "administrator" },
];

export function pagesFor(me: Pick<MeReply, "mode" | "role"> | null): PageEntry[] {
  return PAGES.filter(
    ({ only }) =>
      only === undefined ||
      (me?.mode === "required" && (only === "signedIn" || me.role === "administrator")),
  );
}
