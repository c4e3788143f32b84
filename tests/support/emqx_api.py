"""A small server that speaks EMQX's documented REST API, with pages, a key, and moods."""

import contextlib
import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mqtt_dashboard.bridge import emqx_api

KEY, SECRET = "app-key", "app-secret"


def client(name: str, **changes: Any) -> dict[str, Any]:
    """Return a row of ``GET /api/v5/clients`` as EMQX's documentation shows it (shortened)."""
    return {
        "clientid": name,
        "username": "undefined",
        "ip_address": "192.0.2.7",
        "port": 41883,
        "node": "emqx@127.0.0.1",
        "proto_name": "MQTT",
        "proto_ver": 5,
        "keepalive": 60,
        "clean_start": True,
        "connected": True,
        "connected_at": "2023-06-21T09:01:12.123+00:00",
        "expiry_interval": 0,
        "subscriptions_cnt": 1,
        **changes,
    }


def subscription(name: str, topic: str, qos: int = 0) -> dict[str, Any]:
    """Return a row of ``GET /api/v5/subscriptions``."""
    return {"clientid": name, "topic": topic, "qos": qos, "node": "emqx@127.0.0.1", "rh": 0}


class EmqxServer:
    """Answers from two lists; ``mood`` makes it fail in one of several ways."""

    def __init__(self) -> None:
        self.clients: list[dict[str, Any]] = []
        self.subscriptions: list[dict[str, Any]] = []
        self.mood = ""
        self.requests: list[str] = []
        self.stolen: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Serve on a thread of its own."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()

    def page(self, path: str) -> tuple[int, bytes]:
        """Return status and body for a path with its query."""
        parts = urlsplit(path)
        rows = {
            "/api/v5/clients": self.clients,
            "/api/v5/subscriptions": self.subscriptions,
        }.get(parts.path)
        if rows is None:
            return 404, b'{"code":"NOT_FOUND"}'
        query = parse_qs(parts.query)
        number, limit = int(query["page"][0]), int(query["limit"][0])
        start = (number - 1) * limit
        more = start + limit < len(rows)
        meta = {"page": number, "limit": limit, "count": len(rows), "hasnext": more}
        return 200, json.dumps({"data": rows[start : start + limit], "meta": meta}).encode()

    def answer(self, path: str, authorization: str) -> tuple[int, bytes]:
        """Return what to say to one request, as the mood is."""
        self.requests.append(path)
        if path.startswith("/elsewhere"):
            self.stolen.append(authorization)
        if authorization != "Basic " + b64encode(f"{KEY}:{SECRET}".encode()).decode():
            return 401, b'{"code":"BAD_API_KEY_OR_SECRET"}'
        if self.mood == "hang":
            time.sleep(20)
        moods = {
            "redirect": (302, b""),
            "error": (500, b"{}"),
            "garbage": (200, b"<html>"),
            "wrong": (200, b'{"data":[{"clientid":7}],"meta":{}}'),
            "flood": (200, b" " * (emqx_api.PAGE_BYTES + 1)),
        }
        return moods.get(self.mood) or self.page(path)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = outer.answer(self.path, self.headers.get("Authorization", ""))
                self.send_response(status)
                if status == HTTPStatus.FOUND:
                    self.send_header("Location", outer.url + "/elsewhere")
                self.end_headers()
                with contextlib.suppress(ConnectionError):
                    self.wfile.write(body)

            def log_message(self, *_details: object) -> None:
                pass

        return Handler


@contextmanager
def serving() -> Iterator[EmqxServer]:
    """Run a server and close it."""
    server = EmqxServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
