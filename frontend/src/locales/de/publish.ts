import type { Texts } from "@/i18n";
import type { publish as en } from "../en/publish";

export const publish: Texts<typeof en> = { title: "publish" };
