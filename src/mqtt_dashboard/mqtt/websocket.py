"""MQTT over websockets (MQTT 5.0, 6; RFC 6455), made to look like a socket to the link.

wsproto knows the protocol, `WebSocket` moves its bytes. MQTT packets may lie across frames in any
way, and whatever one read of the socket brings is handed on in one piece. Nothing is collected: a
frame's bytes go on as they come, so a frame of any length costs no memory here.
"""

import contextlib
import socket
from typing import Final

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, ProtocolError

from mqtt_dashboard.errors import LinkError
from mqtt_dashboard.mqtt import reasons
from mqtt_dashboard.mqtt.client import Loss
from mqtt_dashboard.mqtt.reasons import BrokerError, EndedError
from mqtt_dashboard.mqtt.sockets import READ_BYTES, WOULD_BLOCK, hidden, receive

SUBPROTOCOL: Final = "mqtt"
FRAME_BYTES: Final = 64 * 1024

# Closed as TCP might be: without an accusation.
_PLAIN_CLOSES: Final = {
    CloseReason.NORMAL_CLOSURE,
    CloseReason.GOING_AWAY,
    CloseReason.NO_STATUS_RCVD,
}


class Opening:
    """The handshake, without a socket: `request` goes out, `take` reads what comes back."""

    def __init__(self, host: str, path: str, url: str) -> None:
        self.protocol = WSConnection(ConnectionType.CLIENT)
        self._host = host
        self._path = path
        self._url = url

    def request(self) -> bytes:
        """Return the HTTP request."""
        wanted = Request(host=self._host, target=self._path, subprotocols=[SUBPROTOCOL])
        return self.protocol.send(wanted)

    def take(self, data: bytes) -> bool:
        """Read a part of the answer; tell whether the websocket is open. Raise `LinkError`."""
        if not data:
            raise self._error("hung up on the websocket request: is this port for websockets?")
        try:
            self.protocol.receive_data(data)
            event = next(self.protocol.events(), None)
        # UnicodeError: wsproto decodes some headers without a net.
        except (ProtocolError, UnicodeError) as error:
            raise self._error(f"does not speak websocket: {error}") from error
        if isinstance(event, RejectConnection):
            raise self._error(_refusal(event.status_code))
        if not isinstance(event, AcceptConnection):
            return False
        if event.subprotocol != SUBPROTOCOL:
            raise self._error("opened a websocket, but not for MQTT: it names no subprotocol mqtt")
        return True

    def _error(self, told: str) -> LinkError:
        return LinkError(f"{self._url} {told}")


class WebSocket:
    """An open websocket with the methods of a non-blocking socket that the links use."""

    def __init__(self, connection: socket.socket, protocol: WSConnection) -> None:
        self._socket = connection
        self._protocol = protocol
        self._buffer = bytearray(READ_BYTES)
        self._ready = memoryview(b"")
        self._out = bytearray()
        self._framed = b""
        self._ping: Ping | None = None
        self._ended = self._draining = False
        self._fault: BrokerError | EndedError | None = None
        self._code = CloseReason.NORMAL_CLOSURE
        # The first frames may have come together with the answer to the handshake.
        self._take_events()

    def fileno(self) -> int:
        """Return what to poll; see also `pending`."""
        return self._socket.fileno()

    def settimeout(self, seconds: float | None) -> None:
        """Make the socket below wait, for hanging up."""
        self._socket.settimeout(seconds)

    def setblocking(self, flag: bool) -> None:
        """Set the mode of the socket below."""
        self._socket.setblocking(flag)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        """Set an option of the socket below."""
        self._socket.setsockopt(level, option, value)

    def pending(self) -> int:
        """Return how much can be read that `poll` does not see, at least 1 for an end."""
        if self._ready or self._ended or self._fault:
            return len(self._ready) or 1
        return hidden(self._socket)

    def receive(self, target: bytearray) -> int | None:
        """Read the MQTT bytes that are there, None at the end; raise `BrokerError` for others."""
        try:
            self._fill()
        except WOULD_BLOCK:
            return 0
        count = min(len(target), len(self._ready))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count or None

    def recv(self, size: int) -> bytes:
        """Read MQTT bytes, none at the end; after `shutdown` whatever comes, to be thrown away."""
        if self._draining:
            return self._socket.recv(size)
        self._fill()
        data = bytes(self._ready[:size])
        self._ready = self._ready[size:]
        return data

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Send a part as one frame; when it would block, call again with the same bytes."""
        if self._ended:
            raise BrokenPipeError(reasons.GONE)
        part = bytes(data[:FRAME_BYTES])
        # The frame made for these bytes is on its way: going on with it is all there is to do.
        if not self._framed or part[: len(self._framed)] != self._framed:
            self._flush()
            self._out += self._protocol.send(Message(data=part))
            self._framed = part
        self._flush()
        count, self._framed = len(self._framed), b""
        return count

    def shutdown(self, how: int) -> None:
        """Say goodbye and close our direction."""
        self._say_goodbye()
        self._draining = True
        self._socket.shutdown(how)

    def close(self) -> None:
        """Give the socket back, with a goodbye if there was none."""
        if self._socket.fileno() >= 0 and not self._draining:
            self._say_goodbye()
        self._socket.close()

    def _say_goodbye(self) -> None:
        with contextlib.suppress(OSError, LocalProtocolError):
            self._out += self._protocol.send(CloseConnection(code=self._code))
            self._flush()

    def _fill(self) -> None:
        """Have something to hand on, or know that this is the end; otherwise raise."""
        if self._ready:
            return
        if self._fault is not None:
            raise self._fault
        if self._ended:
            return
        count = receive(self._socket, self._buffer)
        if count is None:
            self._ended = True
            return
        self._protocol.receive_data(bytes(memoryview(self._buffer)[:count]))
        self._take_events()
        if self._ping is not None:
            # What does not go out now goes before the next packet.
            with contextlib.suppress(OSError):
                self._flush()
        if not self._ready:
            if self._fault is not None:
                raise self._fault
            if not self._ended:
                raise BlockingIOError("only half a frame, or none for MQTT")

    def _take_events(self) -> None:
        parts: list[bytes | bytearray] = []
        for event in self._protocol.events():
            if type(event) is BytesMessage:
                parts.append(event.data)
            elif not self._take_other(event):
                break
        self._ready = memoryview(parts[0] if len(parts) == 1 else b"".join(parts))

    def _take_other(self, event: Event) -> bool:
        """Take what is not MQTT; return False when nothing after it counts."""
        if isinstance(event, Ping):
            # Only the latest is answered (RFC 6455, 5.5.3): a flood of pings costs nothing.
            self._ping = event
        elif isinstance(event, TextMessage):
            self._code = CloseReason.UNSUPPORTED_DATA
            self._fault = BrokerError("the broker sent text; MQTT takes binary frames only")
            return False
        elif isinstance(event, CloseConnection):
            self._end(event)
            return False
        return True

    def _end(self, event: CloseConnection) -> None:
        text = "".join(char if char.isprintable() else "?" for char in event.reason or "")
        # wsproto says in the same way that the peer closes and that its bytes make no sense.
        if self._protocol.state is ConnectionState.OPEN:
            self._code = CloseReason(event.code)
            self._fault = BrokerError(f"the broker broke the websocket protocol: {text}")
        elif event.code in _PLAIN_CLOSES:
            self._ended = True
        else:
            told = _close_words(event.code) + (f" ({text})" if text else "")
            self._fault = EndedError(Loss(f"the broker closed the websocket: {told}"))

    def _flush(self) -> None:
        while True:
            while self._out:
                count = self._socket.send(self._out)
                del self._out[:count]
            if self._ping is None or self._protocol.state is not ConnectionState.OPEN:
                return
            self._out += self._protocol.send(self._ping.response())
            self._ping = None


def _refusal(status: int) -> str:
    hint = {
        401: "the HTTP server asks for a sign-in of its own",
        403: "the HTTP server forbids it",
        404: "there is no websocket at this path",
        426: "it wants another kind of connection",
    }.get(status, "no websocket was opened")
    return f"answered HTTP {status}: {hint}"


def _close_words(code: int) -> str:
    try:
        return CloseReason(code).name.lower().replace("_", " ")
    except ValueError:
        return f"code {code}"
