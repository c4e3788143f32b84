"""Short ways through the websocket layer for what happens thousands of times a second.

A frame for many viewers is put into websocket form once and the same bytes go to all of them.
Credit, which needs no answer, does not travel through request contexts. And a message is bounded
while it is read, not after; what no client of ours sends ends the connection.
"""

import contextlib
import socket
from collections.abc import Callable
from typing import Any, Final

import msgspec

import simple_websocket
import socketio
from mqtt_dashboard.contract.events import CREDIT, CreditRequest
from mqtt_dashboard.dashboard import packets
from mqtt_dashboard.dashboard.counters import Counters

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


class Reader:
    """What a client sends, one message after the other, until it sends what it should not."""

    def __init__(
        self,
        server: socketio.Server,
        websocket: Any,
        engine_socket: Any,
        give_credit: GiveCredit,
        counters: Counters,
    ) -> None:
        self._server = server
        self._give_credit = give_credit
        self._wait = websocket.wait
        self._websocket = websocket
        self._engine_socket = engine_socket
        self._counters = counters
        self._joined = False

    def next(self) -> Any:
        """Return the next message that is no credit; None when the connection has to end."""
        while True:
            message = self._received()
            frames = _frames(message) if _is_credit(message) else None
            # Who is not known yet, or says it wrong, goes the ordinary way.
            if frames is not None and self._credited(frames):
                continue
            # After None the layers below end the connection in order.
            return None if message is None or self._refused(message) else message

    def _credited(self, frames: int) -> bool:
        sid = self._sid()
        return sid is not None and self._give_credit(sid, frames) is not None

    def _known(self) -> bool:
        return self._sid() is not None

    def _sid(self) -> str | None:
        return self._server.manager.sid_from_eio_sid(self._engine_socket.sid, "/")

    def _received(self) -> Any:
        if self._joined:
            return self._wait()
        self._joined = True
        try:
            return self._websocket.ws.receive(timeout=JOIN_WITHIN_S)
        except simple_websocket.ConnectionClosed:
            return None

    def _refused(self, message: object) -> bool:
        ours = packets.is_ours(message) and (self._known() or packets.is_connect(message))
        if ours and self._engine_socket.queue.qsize() <= MAX_UNREAD:
            return False
        self._counters.add("socket_packets_refused")
        # Whoever waits to send to a client that does not read would wait for ever.
        self._websocket.ws.sock.cut(discard=True)
        return True


def install(server: socketio.Server, give_credit: GiveCredit, counters: Counters) -> None:
    """Make every websocket of a server use the short ways, and judge what it sends."""
    drivers = dict(server.eio._async)  # noqa: SLF001 - the only place where it can be set
    ordinary: Callable[..., Any] = drivers["websocket"]
    framer = Framer()

    def shortened(handler: Any, eio_server: Any) -> Any:
        websocket = ordinary(handler, eio_server)
        websocket.server_args["max_message_size"] = MAX_MESSAGE_BYTES
        whole_send, whole_close = websocket.send, websocket.close

        def send(message: str | bytes) -> None:
            if isinstance(message, bytes) or not websocket.ws.connected:
                whole_send(message)
            else:
                websocket.ws.sock.send(framer.frame(message))

        reader = Reader(server, websocket, handler.__self__, give_credit, counters)

        def close() -> None:
            whole_close()
            # A peer that does not answer the Close frame would keep the connection for ever.
            with contextlib.suppress(OSError):  # it has left already
                websocket.ws.sock.shutdown(socket.SHUT_RDWR)

        websocket.send, websocket.wait, websocket.close = send, reader.next, close
        return websocket

    drivers["websocket"] = shortened
    server.eio._async = drivers  # noqa: SLF001


def _is_credit(message: object) -> bool:
    return isinstance(message, str) and message.startswith(CREDIT_PREFIX)


def _frames(message: str) -> int | None:
    try:
        return _credit.decode(message[2:])[1].frames
    except (msgspec.DecodeError, RecursionError):
        return None
