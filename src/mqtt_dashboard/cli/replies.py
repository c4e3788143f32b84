"""Waits for the reply to a request: what has its correlation data on its response topic."""

import threading
import time
from types import TracebackType
from typing import Self

from mqtt_dashboard.cli.live import Connection, Notice
from mqtt_dashboard.cli.server import Server
from mqtt_dashboard.cli.terminal import CommandError
from mqtt_dashboard.contract.events import MessagesFrame
from mqtt_dashboard.contract.messages import MessageReceived


class Replies:
    """Watches a response topic from before the request is sent; a context manager.

    ``others`` counts messages of other correlation data, or without any: nobody can tell whom
    those answer.
    """

    def __init__(self, server: Server, topic: str, correlation: bytes, notice: Notice) -> None:
        self._topic = topic
        self._correlation = correlation
        self._connection = Connection(server, notice)
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, name="replies", daemon=True)
        self.reply: MessageReceived | None = None
        self.came_at = 0.0
        self.lost: str | None = None
        self.others = 0

    def __enter__(self) -> Self:
        """Begin to watch; raise `CommandError` when that is not possible."""
        self._connection.open()
        try:
            self._connection.subscribe(self._topic, None)
        except CommandError:
            self._connection.close()
            raise
        self._reader.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Stop watching."""
        self._connection.close()

    def wait(self, seconds: float) -> MessageReceived | None:
        """Return the reply; None when it does not come in time, or the channel was lost."""
        self._ended.wait(seconds)
        return self.reply

    def _read(self) -> None:
        """Note the moment of the first reply, whatever else is waited for meanwhile."""
        while not self._ended.is_set():
            frame = self._connection.frames.get()
            if isinstance(frame, MessagesFrame):
                self._take(frame)
                self._connection.done()
            else:
                self.lost = "the live channel was lost" if frame is None else str(frame)
                self._ended.set()

    def _take(self, frame: MessagesFrame) -> None:
        if frame.replay:
            return  # from before the request
        for message in frame.messages:
            found = message.properties
            if found is None or found.correlation_data != self._correlation:
                self.others += 1
            elif self.reply is None:
                self.came_at = time.monotonic()
                self.reply = message
                self._ended.set()
