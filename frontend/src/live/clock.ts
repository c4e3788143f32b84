// One ticking clock for the whole page, so that ages grow together.

import { readonly, ref } from "vue";

const seconds = ref(Date.now() / 1000);
setInterval(() => {
  seconds.value = Date.now() / 1000;
}, 1000);

/** Seconds since the epoch, once a second. */
export const now = readonly(seconds);
