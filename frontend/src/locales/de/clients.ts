import type { Texts } from "@/i18n";
import type { clients as en } from "../en/clients";

export const clients: Texts<typeof en> = { title: "clients" };
