import type { Texts } from "@/i18n";
import type { system as en } from "../en/system";

export const system: Texts<typeof en> = { title: "system" };
