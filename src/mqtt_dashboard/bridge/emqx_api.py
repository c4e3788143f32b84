"""EMQX's REST API: the clients and their subscriptions, page by page.

Everything is bounded: time per request and per round, bytes per page, pages. Redirects are not
followed, because they would carry the key elsewhere. Source: EMQX REST API v5, ``/clients`` and
``/subscriptions``.
"""

import http.client
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from mqtt_dashboard.bridge.clients import ListedClient
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.topic_entry import LATEST
from mqtt_dashboard.mqtt.client_events import ClientConnected, Connection, within

PAGE: Final = 500
MAX_CLIENTS: Final = 10_000
MAX_SUBSCRIPTIONS: Final = 50_000
REQUEST_S: Final = 5.0
ROUND_S: Final = 60.0
PAGE_BYTES: Final = 8 * 1024 * 1024

RowT = TypeVar("RowT", bound=Struct)


class ApiError(Exception):
    """The API could not be read; the text says why and what to do."""


class _Client(Struct):
    clientid: str
    username: str | None = None
    ip_address: str | None = None
    port: int | None = None
    proto_ver: int | None = None
    keepalive: int | None = None
    clean_start: bool | None = None
    connected: bool = True
    connected_at: str | int | float | None = None


class _Subscription(Struct):
    clientid: str
    topic: str
    qos: int = 0


class _Meta(Struct, frozen=True):
    page: int = 1
    count: int | None = None
    hasnext: bool | None = None


class _Page(Struct):
    data: list[msgspec.Raw] = []
    meta: _Meta = _Meta()


@dataclass(frozen=True)
class Listing:
    """One round's result; ``whole``: no client was left out."""

    clients: list[ListedClient]
    whole: bool


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_details: Any) -> None:
        """Follow nothing."""


class EmqxApi:
    """Reads the list of clients; used by one thread."""

    def __init__(self, url: str, key: str, secret: str, clock: Clock) -> None:
        self._clock = clock
        base = url.rstrip("/")
        self._base = base if base.endswith("/api/v5") else base + "/api/v5"
        token = b64encode(f"{key}:{secret}".encode()).decode()
        self._headers = {"Authorization": f"Basic {token}", "Accept": "application/json"}
        self._opener = urllib.request.build_opener(_NoRedirect(), urllib.request.ProxyHandler({}))

    def listing(self, wait: Callable[[float], bool]) -> Listing:
        """Read all clients with their subscriptions; ``wait`` is called between requests."""
        until = self._clock.monotonic() + ROUND_S
        clients, whole = self._rows("clients", _Client, MAX_CLIENTS, until, wait)
        held, all_held = self._rows("subscriptions", _Subscription, MAX_SUBSCRIPTIONS, until, wait)
        filters: dict[str, dict[str, int]] = {}
        for one in held:
            filters.setdefault(one.clientid, {})[one.topic] = max(0, min(one.qos, 2))
        return Listing([_listed(one, filters, complete=all_held) for one in clients], whole)

    def _rows(
        self,
        path: str,
        kind: type[RowT],
        limit: int,
        until: float,
        wait: Callable[[float], bool],
    ) -> tuple[list[RowT], bool]:
        rows: list[RowT] = []
        number = 1
        while True:
            if wait(0) or self._clock.monotonic() > until:
                raise ApiError(f"EMQX's API did not list {path} within {ROUND_S:.0f} s")
            page = self._page(path, number)
            try:
                rows += [msgspec.json.decode(raw, type=kind) for raw in page.data]
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise ApiError(_unreadable(path, error)) from error
            more = page.meta.hasnext
            if more is None:
                more = len(page.data) == PAGE
            if not more or not page.data:
                return rows[:limit], len(rows) <= limit
            if len(rows) >= limit:
                return rows[:limit], False
            number += 1

    def _page(self, path: str, number: int) -> _Page:
        query = urllib.parse.urlencode({"page": number, "limit": PAGE})
        request = urllib.request.Request(  # noqa: S310 - the settings allow http and https only
            f"{self._base}/{path}?{query}", headers=self._headers
        )
        try:
            with self._opener.open(request, timeout=REQUEST_S) as reply:
                return msgspec.json.decode(self._body(reply), type=_Page)
        except urllib.error.HTTPError as error:
            error.close()
            raise ApiError(_refused(error.code)) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise ApiError(f"EMQX's API does not answer: {reason}"[:200]) from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ApiError(_unreadable(path, error)) from error

    def _body(self, reply: http.client.HTTPResponse) -> bytes:
        """Read an answer in pieces, so that neither its size nor its slowness is without bound."""
        until = self._clock.monotonic() + 2 * REQUEST_S
        parts: list[bytes] = []
        size = 0
        while part := reply.read1(65536):
            size += len(part)
            if size > PAGE_BYTES or self._clock.monotonic() > until:
                raise ApiError("EMQX's API sends a page that is too long or too slow")
            parts.append(part)
        return b"".join(parts)


def _refused(code: int) -> str:
    if code in {401, 403}:
        return "EMQX's API refuses the key: check EMQX_API_KEY and EMQX_API_SECRET"
    if code == http.HTTPStatus.NOT_FOUND:
        return "EMQX_API_URL leads to something that has no /api/v5/clients"
    if code in {301, 302, 303, 307, 308}:
        return "EMQX_API_URL is redirected; give the address it leads to"
    return f"EMQX's API answers with HTTP status {code}"


def _unreadable(path: str, error: Exception) -> str:
    return f"EMQX's API sends {path} that cannot be read: {error}"[:200]


def _listed(one: _Client, filters: dict[str, dict[str, int]], *, complete: bool) -> ListedClient:
    at = _seconds(one.connected_at)
    versions = {3: "3.1", 4: "3.1.1", 5: "5.0"}
    event = ClientConnected(
        client_id=one.clientid,
        connection=Connection(one.ip_address, within(one.port, 65535), at),
        protocol=versions.get(one.proto_ver) if one.proto_ver is not None else None,
        clean_start=one.clean_start,
        keepalive=within(one.keepalive, 65535),
        username=None if one.username in {None, "", "undefined"} else one.username,
    )
    held = filters.get(one.clientid, {} if complete else None)
    return ListedClient(event, one.connected, at if one.connected else None, held, complete)


def _seconds(at: str | float | None) -> float | None:
    """Read a time as EMQX writes it: RFC 3339 text, or milliseconds; None when it is no time."""
    try:
        if isinstance(at, int | float):
            seconds = at / 1000
        else:
            seconds = datetime.fromisoformat(at).timestamp() if at else 0.0
    except (ValueError, OverflowError, OSError):
        return None
    return seconds if 0 < seconds < LATEST else None
