"""Notes whatever a page of Chromium does that only a stranger's text can have made it do."""

from typing import Any

from playwright.sync_api import BrowserContext, Dialog, Frame, Page, Request

# `__xss` cannot be set without being noted, in no frame and before any script of a page.
_WATCH = """
const note = (what) => window.__note(`${window.name}|${what}`);
Object.defineProperty(window, "__xss", { set: () => note("script"), get: () => undefined });
addEventListener("securitypolicyviolation", (event) =>
  note(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`), true);
"""


class Tripwire:
    """Watches all pages of a browser context; ``noted`` is (name of the frame, what happened)."""

    def __init__(self, context: BrowserContext, own: str) -> None:
        self.noted: list[tuple[str, str]] = []
        self._own = own
        context.expose_binding("__note", self._told)
        context.add_init_script(_WATCH)
        context.on("page", self._watch)
        context.on("request", self._on_request)

    def check(self, page: Page) -> None:
        """Fail when anything was noted, however it was meant."""
        page.evaluate("() => new Promise(requestAnimationFrame)")
        assert self.noted == []

    def _told(self, _source: Any, text: str) -> None:
        name, _, what = text.partition("|")
        self.noted.append((name, what))

    def _watch(self, page: Page) -> None:
        page.on("dialog", self._on_dialog)
        page.on("pageerror", lambda error: self.noted.append(("", f"error: {error}")))
        page.on("framenavigated", self._on_navigation)
        page.on("popup", lambda popup: self.noted.append(("", f"popup: {popup.url}")))

    def _on_dialog(self, dialog: Dialog) -> None:
        self.noted.append(("", f"dialog: {dialog.message}"))
        dialog.dismiss()

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self._own, "data:", "blob:")):
            self.noted.append((request.frame.name, f"request: {request.url}"))

    def _on_navigation(self, frame: Frame) -> None:
        if not frame.url.startswith((self._own, "about:")):
            self.noted.append((frame.name, f"navigation: {frame.url}"))
