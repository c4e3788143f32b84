// German; loaded only when it is shown.

import type { Texts } from "@/i18n";
import { app } from "./app";
import { parts } from "./parts";

export const de: Texts = { app, parts };
