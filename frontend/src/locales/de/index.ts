// German; loaded only when it is shown.

import type { Texts } from "@/i18n";
import { app } from "./app";
import { audit } from "./audit";
import { auth } from "./auth";
import { clients } from "./clients";
import { monitor } from "./monitor";
import { overview } from "./overview";
import { parts } from "./parts";
import { payload } from "./payload";
import { people } from "./people";
import { publish } from "./publish";
import { shell } from "./shell";
import { system } from "./system";
import { topics } from "./topics";

export const de: Texts = {
  app,
  audit,
  auth,
  clients,
  monitor,
  overview,
  parts,
  payload,
  people,
  publish,
  shell,
  system,
  topics,
};
