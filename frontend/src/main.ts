import { createPinia } from "pinia";
import { createApp } from "vue";
import App from "./App.vue";
import { begin } from "./i18n";
import { router } from "./router";
import "./styles/tokens.css";
import "./styles/base.css";

function mount(): void {
  createApp(App).use(createPinia()).use(router).mount("#app");
}

// English is always there: a language that fails to load does not keep the page from showing.
begin().then(mount, mount);
