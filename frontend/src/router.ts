import { createRouter, createWebHistory } from "vue-router";
import { basePath } from "./live/socket";
import OverviewView from "./views/OverviewView.vue";

// Pages are one level deep: assets are addressed relative to the page.
export const router = createRouter({
  history: createWebHistory(basePath()),
  routes: [
    { path: "/", name: "overview", component: OverviewView, meta: { title: "Overview" } },
    {
      path: "/monitor",
      name: "monitor",
      component: () => import("./views/MonitorView.vue"),
      meta: { title: "Monitor" },
    },
    {
      path: "/topics",
      name: "topics",
      component: () => import("./views/TopicsView.vue"),
      meta: { title: "Topics" },
    },
    {
      path: "/publish",
      name: "publish",
      component: () => import("./views/PublishView.vue"),
      meta: { title: "Publish" },
    },
    {
      path: "/:path(.*)*",
      name: "missing",
      component: () => import("./views/MissingView.vue"),
      meta: { title: "Not found" },
    },
  ],
});

router.afterEach((to) => {
  document.title = `${String(to.meta.title)} · MQTT Dashboard`;
});
