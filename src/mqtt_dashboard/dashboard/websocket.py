"""Short ways through the websocket layer for what happens thousands of times a second.

A frame for many viewers is put into websocket form once and the same bytes go to all of them.
Credit, which needs no answer, does not travel through request contexts. And a message is bounded
while it is read, not after; one that is no packet ends the connection.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec

import socketio
from mqtt_dashboard.contract.events import CREDIT, CreditRequest
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.packets import is_sound

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
    """Make every websocket of a server use the short ways."""
    drivers = dict(server.eio._async)  # noqa: SLF001 - the only place where it can be set
    ordinary: Callable[..., Any] = drivers["websocket"]
    framer = Framer()

    def shortened(handler: Any, eio_server: Any) -> Any:
        websocket = ordinary(handler, eio_server)
        websocket.server_args["max_message_size"] = MAX_MESSAGE_BYTES
        whole_send, whole_wait = websocket.send, websocket.wait

        def send(message: str | bytes) -> None:
            if isinstance(message, bytes) or not websocket.ws.connected:
                whole_send(message)
            else:
                websocket.ws.sock.send(framer.frame(message))

        def wait() -> Any:
            while True:
                message = whole_wait()
                if not _is_credit(message):
                    if message is None or is_sound(message):
                        return message
                    counters.add("requests_refused", "packet")
                    return None  # which ends the connection as if the client had left
                sid = server.manager.sid_from_eio_sid(handler.__self__.sid, "/")
                frames = _frames(message)
                # Who is not known yet, or says it wrong, goes the ordinary way.
                if sid is None or frames is None or give_credit(sid, frames) is None:
                    return message

        websocket.send, websocket.wait = send, wait
        return websocket

    drivers["websocket"] = shortened
    server.eio._async = drivers  # noqa: SLF001


def _is_credit(message: object) -> bool:
    return isinstance(message, str) and message.startswith(CREDIT_PREFIX)


def _frames(message: str) -> int | None:
    try:
        return _credit.decode(message[2:])[1].frames
    except msgspec.DecodeError:
        return None
