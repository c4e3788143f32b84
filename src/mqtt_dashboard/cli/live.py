"""The live channel as the commands read it: in order, by credit, resumed after a break."""

import queue
import time
import urllib.parse
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec

import engineio
import socketio
from mqtt_dashboard.cli import terminal
from mqtt_dashboard.cli.server import Server
from mqtt_dashboard.cli.terminal import CommandError, leave
from mqtt_dashboard.contract import events
from mqtt_dashboard.contract.api import BrokerStatusReply
from mqtt_dashboard.contract.events import FilterReply, FilterRequest, LogPosition, MessagesFrame
from mqtt_dashboard.contract.messages import MessageReceived
from socketio import exceptions

DocumentT = TypeVar("DocumentT")

# Frames that may be on their way; given back when half of them were written.
WINDOW: Final = 8
PORTION: Final = 4
QUEUED: Final = 2 * events.MAX_CREDIT
ANSWER_S: Final = 10.0
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 5.0
KNOWN: Final = 10_000

Notice = Callable[[str], None]


class _EngineInOrder(engineio.Client):
    """Handles packets one after the other; the library would start a thread for each."""

    def _trigger_event(self, event: str, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("run_async", None)
        return super()._trigger_event(event, *args, **kwargs)


class _Client(socketio.Client):
    def _engineio_client_class(self) -> type[Any]:
        return _EngineInOrder


class Connection:
    """One connection: a queue of frames that ends with None when the connection does.

    What the server sends and nobody can read is in the queue, too, as the error to end with.
    """

    def __init__(self, server: Server, notice: Notice) -> None:
        self._server = server
        self._notice = notice
        self._taken = 0
        self._broker: bool | None = None
        self.frames: queue.Queue[MessagesFrame | CommandError | None] = queue.Queue(QUEUED)
        self._client = _Client(reconnection=False, handle_sigint=False)
        self._client.on(events.MQTT_MESSAGES, self._on_frame)
        self._client.on(events.BROKER_STATUS, self._on_status)
        self._client.on("disconnect", lambda *_reason: self.frames.put(None))

    def open(self) -> None:
        """Connect; raise `CommandError` with what to do."""
        path = urllib.parse.urlsplit(self._server.url).path
        try:
            self._client.connect(
                self._server.url,
                headers=self._server.headers,
                transports=["websocket"],
                wait_timeout=int(ANSWER_S),
                socketio_path=f"{path}/socket.io".lstrip("/"),
            )
        except exceptions.SocketIOError as error:
            # The HTTP interface says why in words, if it is not just the live channel.
            self._server.get("/api/broker/status", BrokerStatusReply)
            told = f"the live channel cannot be opened ({error}); does a proxy pass websockets?"
            raise CommandError(told, terminal.EXIT_UNREACHABLE) from error
        self._credit(WINDOW)

    def subscribe(self, topic_filter: str, after: LogPosition | None) -> None:
        """Watch a filter; raise `CommandError` when it is refused."""
        request = msgspec.to_builtins(FilterRequest(filter=topic_filter, after=after))
        try:
            answer = self._client.call(events.SUBSCRIBE, request, timeout=ANSWER_S)
        except exceptions.SocketIOError as error:
            told = f"no answer to the subscription of {topic_filter}"
            raise CommandError(told, terminal.EXIT_UNREACHABLE) from error
        reply = _read(answer, FilterReply)
        if not reply.ok:
            leave(f"{topic_filter}: {reply.message}", terminal.EXIT_NOT_ALLOWED)
        if reply.watched is False:
            self._notice(f"the bridge was asked to watch {topic_filter}; it begins in a moment")

    def done(self) -> None:
        """Note that a frame was written; the server may send another."""
        self._taken += 1
        if self._taken >= PORTION:
            self._credit(self._taken)
            self._taken = 0

    def close(self) -> None:
        """End it."""
        self._client.disconnect()

    def _credit(self, frames: int) -> None:
        if self._client.connected:
            self._client.emit(events.CREDIT, {"frames": frames})

    def _on_frame(self, data: object) -> None:
        try:
            self.frames.put(_read(data, MessagesFrame))
        except CommandError as error:
            self.frames.put(error)

    def _on_status(self, data: object) -> None:
        try:
            status = _read(data, BrokerStatusReply)
        except CommandError as error:
            self.frames.put(error)
            return
        if status.connected is not self._broker and status.connected is not None:
            if not status.connected:
                self._notice(f"the broker is not connected: {status.reason}")
            elif self._broker is False:
                self._notice("the broker is connected again")
            self._broker = status.connected


class Tail:
    """Messages of some filters, over any number of connections."""

    def __init__(
        self, server: Server, filters: Sequence[str], notice: Notice, *, recent: bool
    ) -> None:
        self._server = server
        self._filters = list(dict.fromkeys(filters))
        self._notice = notice
        self._recent = recent
        self._reached: LogPosition | None = None
        self._known: OrderedDict[tuple[int, int], None] = OrderedDict()
        self.skipped = 0

    def messages(self, seconds: float | None = None) -> Iterator[MessageReceived]:
        """Yield messages until some seconds have passed; raise `CommandError` when it cannot go on.

        A connection that is lost is opened again, and what came meanwhile is yielded as far as the
        server still has it.
        """
        until = None if seconds is None else time.monotonic() + seconds
        connection = self._open(resumed=False)
        resumed = False
        while True:
            try:
                yield from self._read(connection, until, resumed=resumed)
            finally:
                connection.close()
            if until is not None and time.monotonic() >= until:
                return
            self._notice("the connection was lost; trying again")
            found = self._again(until)
            if found is None:
                return
            connection, resumed = found, True
            self._notice("connected again; what was missed follows, as far as it is still there")

    def _open(self, *, resumed: bool) -> Connection:
        connection = Connection(self._server, self._notice)
        connection.open()
        try:
            for topic_filter in self._filters:
                connection.subscribe(topic_filter, self._reached if resumed else None)
        except CommandError:
            connection.close()
            raise
        return connection

    def _again(self, until: float | None) -> Connection | None:
        pause = FIRST_PAUSE_S
        while until is None or time.monotonic() < until:
            try:
                return self._open(resumed=True)
            except CommandError as error:
                if not error.passing:
                    raise
            time.sleep(pause if until is None else max(0, min(pause, until - time.monotonic())))
            pause = min(2 * pause, LONGEST_PAUSE_S)
        return None

    def _read(
        self, connection: Connection, until: float | None, *, resumed: bool
    ) -> Iterator[MessageReceived]:
        while True:
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return
            try:
                frame = connection.frames.get(timeout=left)
            except queue.Empty:
                return
            if frame is None:
                return
            if isinstance(frame, CommandError):
                raise frame
            before = frame.replay and not resumed
            if not before:
                self._tell_losses(frame)
            for message in frame.messages:
                if self._is_new(message) and (self._recent or not before):
                    yield message
            self._note(frame, before=before)
            connection.done()

    def _note(self, frame: MessagesFrame, *, before: bool) -> None:
        """Remember how far it has come, so that a new connection goes on from there."""
        if not frame.replay:
            self._reached = LogPosition(epoch=frame.epoch, seq=frame.seq)
        elif before and frame.messages:
            last = max((one.epoch, one.seq) for one in frame.messages)
            here = self._reached
            if here is None or last > (here.epoch, here.seq):
                self._reached = LogPosition(epoch=last[0], seq=last[1])

    def _is_new(self, message: MessageReceived) -> bool:
        """Tell whether a message was not seen yet: filters overlap, and replays meet live ones."""
        place = (message.epoch, message.seq)
        if place in self._known:
            return False
        self._known[place] = None
        if len(self._known) > KNOWN:
            self._known.popitem(last=False)
        return True

    def _tell_losses(self, frame: MessagesFrame) -> None:
        left_out = frame.dropped + frame.conflated
        if left_out:
            self.skipped += left_out
            self._notice(
                f"{left_out} messages skipped here, {self.skipped} in all: {frame.conflated} "
                f"replaced by a newer one of their topic, {frame.dropped} because of too many"
            )
        if frame.gap:
            missing = "an unknown number of" if frame.missing is None else f"up to {frame.missing}"
            self._notice(f"a gap: {missing} messages are missing here")


def _read(data: object, kind: type[DocumentT]) -> DocumentT:
    try:
        return msgspec.convert(data, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        told = f"the live channel sends what this version does not understand: {error}"
        raise CommandError(told) from error
