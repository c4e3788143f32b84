import { createPinia } from "pinia";
import { createApp } from "vue";
import Root from "./Root.vue";
import { begin } from "./i18n";
import { router } from "./router";
import { useSession } from "./stores/session";
import "./styles/tokens.css";
import "./styles/base.css";

function mount(): void {
  const app = createApp(Root).use(createPinia()).use(router);
  void useSession().refresh();
  app.mount("#app");
}

// English is always there: a language that fails to load does not keep the page from showing.
begin().then(mount, mount);
