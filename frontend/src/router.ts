import { watch } from "vue";
import { createRouter, createWebHistory } from "vue-router";
import { language, t, type TextKey } from "./i18n";
import { basePath } from "./live/socket";
import OverviewView from "./views/OverviewView.vue";

declare module "vue-router" {
  interface RouteMeta {
    title?: TextKey;
    /** The page makes use of more width than text can be read in. */
    wide?: boolean;
  }
}

// Pages are one level deep: assets are addressed relative to the page.
export const router = createRouter({
  history: createWebHistory(basePath()),
  routes: [
    {
      path: "/",
      name: "overview",
      component: OverviewView,
      meta: { title: "app.page.overview", wide: true },
    },
    {
      path: "/monitor",
      name: "monitor",
      component: () => import("./views/MonitorView.vue"),
      meta: { title: "app.page.monitor", wide: true },
    },
    {
      path: "/topics",
      name: "topics",
      component: () => import("./views/TopicsView.vue"),
      meta: { title: "app.page.topics", wide: true },
    },
    {
      path: "/clients",
      name: "clients",
      component: () => import("./views/ClientsView.vue"),
      meta: { title: "app.page.clients", wide: true },
    },
    {
      path: "/system",
      name: "system",
      component: () => import("./views/SystemView.vue"),
      meta: { title: "app.page.system", wide: true },
    },
    {
      path: "/publish",
      name: "publish",
      component: () => import("./views/PublishView.vue"),
      meta: { title: "app.page.publish" },
    },
    {
      path: "/people",
      name: "people",
      component: () => import("./views/PeopleView.vue"),
      meta: { title: "app.page.people" },
    },
    {
      path: "/audit",
      name: "audit",
      component: () => import("./views/AuditView.vue"),
      meta: { title: "app.page.audit" },
    },
    {
      path: "/:path(.*)*",
      name: "missing",
      component: () => import("./views/MissingView.vue"),
      meta: { title: "app.page.missing" },
    },
  ],
});

function name(): void {
  const title = router.currentRoute.value.meta.title;
  document.title = title ? `${t(title)} · MQTT Dashboard` : "MQTT Dashboard";
}
router.afterEach(name);
watch(language, name);
