"""Short ways through the websocket layer for what happens thousands of times a second.

A frame for many viewers is put into websocket form once and the same bytes go to all of them.
Credit, which needs no answer, does not travel through request contexts. And a message is bounded
while it is read, not after; what no client of ours sends ends the connection.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import simple_websocket  # type: ignore[import-untyped]

import socketio
from mqtt_dashboard.contract.events import CREDIT, CreditRequest
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.packets import is_sound

# A client says at once that it wants the live channel; else it only keeps a place.
JOIN_WITHIN_S: Final = 10.0
# Answers that wait for a client who goes on asking without reading any.
MAX_UNREAD: Final = 1000
MAX_MESSAGE_BYTES: Final = 2 * 1024 * 1024
TEXT_FRAME: Final = 0x81
CREDIT_PREFIX: Final = f'42["{CREDIT}",'

_credit: msgspec.json.Decoder[tuple[str, CreditRequest]] = msgspec.json.Decoder(
    tuple[str, CreditRequest]
)

GiveCredit = Callable[[str, int], int | None]


class Framer:
    """Turns text into a whole websocket frame; keeps the last one, for all who get the same."""

    def __init__(self) -> None:
        self._last: tuple[str, bytes] = ("", b"")

    def frame(self, text: str) -> bytes:
        """Return an unmasked, uncompressed text frame."""
        last_text, last_frame = self._last
        if text is last_text:
            return last_frame
        data = text.encode()
        length = len(data)
        if length < 126:
            head = bytes((TEXT_FRAME, length))
        elif length < 65536:
            head = bytes((TEXT_FRAME, 126)) + length.to_bytes(2, "big")
        else:
            head = bytes((TEXT_FRAME, 127)) + length.to_bytes(8, "big")
        framed = head + data
        self._last = (text, framed)
        return framed


def install(server: socketio.Server, give_credit: GiveCredit, counters: Counters) -> None:
    """Make every websocket of a server use the short ways, and judge what it sends."""
    drivers = dict(server.eio._async)  # noqa: SLF001 - the only place where it can be set
    ordinary: Callable[..., Any] = drivers["websocket"]
    framer = Framer()

    def credited(eio_sid: str, frames: int) -> bool:
        sid = server.manager.sid_from_eio_sid(eio_sid, "/")
        return sid is not None and give_credit(sid, frames) is not None

    def shortened(handler: Any, eio_server: Any) -> Any:
        websocket = ordinary(handler, eio_server)
        websocket.server_args["max_message_size"] = MAX_MESSAGE_BYTES
        ways = ShortWays(websocket, handler.__self__, framer, credited, counters)
        websocket.send, websocket.wait = ways.send, ways.wait
        return websocket

    drivers["websocket"] = shortened
    server.eio._async = drivers  # noqa: SLF001


class ShortWays:
    """What takes the place of a websocket's own ``send`` and ``wait``.

    ``place`` is the Engine.IO socket, with its id and the queue of what waits for the client.
    """

    def __init__(
        self,
        websocket: Any,
        place: Any,
        framer: Framer,
        credited: Callable[[str, int], bool],
        counters: Counters,
    ) -> None:
        self._websocket = websocket
        self._send, self._wait = websocket.send, websocket.wait
        self._place = place
        self._framer = framer
        self._credited = credited
        self._counters = counters
        self._joined = False

    def send(self, message: str | bytes) -> None:
        """Send a text as a frame that was made once for all."""
        ws = self._websocket.ws
        if isinstance(message, bytes) or not ws.connected:
            self._send(message)
        else:
            ws.sock.send(self._framer.frame(message))

    def wait(self) -> Any:
        """Return the next message that is no credit; None ends the connection in order."""
        while True:
            message = self._next()
            frames = _frames(message) if _is_credit(message) else None
            # Who is not known yet, or says it wrong, goes the ordinary way.
            if frames is not None and self._credited(self._place.sid, frames):
                continue
            if message is None:
                return None
            if is_sound(message) and self._place.queue.qsize() <= MAX_UNREAD:
                return message
            self._counters.add("socket_packets_refused")
            return None

    def _next(self) -> Any:
        if self._joined:
            return self._wait()
        self._joined = True
        return _first(self._websocket.ws)


def _first(ws: Any) -> Any:
    """Return the first message if it comes soon, None else."""
    try:
        return ws.receive(timeout=JOIN_WITHIN_S)
    except simple_websocket.ConnectionClosed:
        return None


def _is_credit(message: object) -> bool:
    return isinstance(message, str) and message.startswith(CREDIT_PREFIX)


def _frames(message: str) -> int | None:
    try:
        return _credit.decode(message[2:])[1].frames
    except (msgspec.DecodeError, RecursionError):
        return None
