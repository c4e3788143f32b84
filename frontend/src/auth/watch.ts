// Notices a 401 on any request of the page, whoever sends it.

import { basePath } from "@/live/socket";

/** Call `lost` whenever an answer from below /api says that nobody known is asking. */
export function watchRequests(lost: () => void): void {
  const send = window.fetch.bind(window);
  window.fetch = async (input, init) => {
    const answer = await send(input, init);
    const address = input instanceof Request ? input.url : String(input);
    const own = new URL(address, location.href).pathname.startsWith(`${basePath()}api/`);
    // A wrong password is a 401, too, and no news.
    if (answer.status === 401 && own && !address.endsWith("/login")) lost();
    return answer;
  };
}
