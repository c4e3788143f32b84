"""What an upgrade to the live channel must look like (RFC 6455, 4.2.1; Engine.IO 4).

The libraries below answer some wrong ones with an internal error, so wrong ones do not get there.
"""

import re
from typing import Any, Final
from urllib.parse import parse_qs

KEY: Final = re.compile(r"\A[A-Za-z0-9+/]{21}[AQgw]==\Z")
VERSION: Final = "13"


def problem(environ: dict[str, Any]) -> str | None:
    """Return what is wrong with a request for the live channel; None when nothing is."""
    if environ.get("REQUEST_METHOD") != "GET" or not _asks(environ):
        return "the live channel is a websocket; nothing else is served here"
    if environ.get("HTTP_SEC_WEBSOCKET_VERSION") != VERSION:
        return f"only version {VERSION} of the websocket protocol is served"
    if not KEY.match(str(environ.get("HTTP_SEC_WEBSOCKET_KEY", ""))):
        return "Sec-WebSocket-Key must be 16 bytes in base64"
    try:
        query = parse_qs(str(environ.get("QUERY_STRING", "")), max_num_fields=10)
    except ValueError:
        return "the query has too many fields"
    if (query.get("EIO"), query.get("transport")) != (["4"], ["websocket"]) or "sid" in query:
        return "the query must be EIO=4&transport=websocket"
    # None is offered, so nobody needs to look at what is asked for.
    environ.pop("HTTP_SEC_WEBSOCKET_PROTOCOL", None)
    return None


def _asks(environ: dict[str, Any]) -> bool:
    tokens = str(environ.get("HTTP_CONNECTION", "")).lower().split(",")
    upgrade = str(environ.get("HTTP_UPGRADE", "")).strip().lower()
    return upgrade == "websocket" and "upgrade" in {one.strip() for one in tokens}
