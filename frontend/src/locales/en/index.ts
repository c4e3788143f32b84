// English, the language every other is measured against; one file per part of the page.

import { app } from "./app";
import { parts } from "./parts";

export const en = { app, parts } as const;
