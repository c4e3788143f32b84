"""A listener that writes down what it is told, and a thread that runs a link."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mqtt_dashboard.mqtt.client import Incoming, Link, LinkOptions, Loss, Receipt, Session
from tests.support.servers import wait_for


@dataclass
class Recorder:
    """What a link told its owner; ``on_open_do`` runs inside `on_open` like a real owner's."""

    sessions: list[Session] = field(default_factory=list)
    batches: list[list[Incoming]] = field(default_factory=list)
    granted: list[tuple[str, int | None, str | None]] = field(default_factory=list)
    malformed: list[str] = field(default_factory=list)
    too_large: list[int] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    on_open_do: Callable[[Session], None] | None = None
    on_messages_do: Callable[[list[Incoming]], None] | None = None

    def on_open(self, session: Session) -> None:
        self.sessions.append(session)
        if self.on_open_do is not None:
            self.on_open_do(session)

    def on_messages(self, messages: list[Incoming]) -> None:
        self.batches.append(messages)
        if self.on_messages_do is not None:
            self.on_messages_do(messages)

    def on_granted(self, topic_filter: str, qos: int | None, error: str | None) -> None:
        self.granted.append((topic_filter, qos, error))

    def on_malformed(self, reason: str) -> None:
        self.malformed.append(reason)

    def on_too_large(self, size: int) -> None:
        self.too_large.append(size)

    def on_closed(self, loss: Loss) -> None:
        self.losses.append(loss)

    @property
    def messages(self) -> list[Incoming]:
        """All messages so far."""
        return [message for batch in list(self.batches) for message in batch]


class Receipts(list[Receipt]):
    """Collects receipts; the object itself is the ``done`` callback."""

    def __call__(self, receipt: Receipt) -> None:
        self.append(receipt)

    def one(self, timeout: float = 10.0) -> Receipt:
        """Wait for the first receipt."""
        wait_for(lambda: len(self) > 0, "a receipt", timeout)
        return self[0]


class Running:
    """A link's `run` in a thread of its own; ``losses`` are what it returned."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.losses: list[Loss] = []
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        self.losses.append(self.link.run())

    def join(self, timeout: float = 10.0) -> Loss:
        """Wait for `run` to return; a hang or a dead thread fails the test."""
        self.thread.join(timeout)
        assert not self.thread.is_alive(), "run() hangs"
        assert self.losses, "run() died of an exception"
        return self.losses[0]


@contextmanager
def running(link: Link) -> Iterator[Running]:
    """Run a link; close it and wait for its thread at the end."""
    runner = Running(link)
    runner.thread.start()
    try:
        yield runner
    finally:
        if runner.thread.is_alive():
            link.close()
        runner.thread.join(10)
        assert not runner.thread.is_alive(), "run() does not return after close()"


def options(port: int, client_id: str = "link-under-test", **changes: object) -> LinkOptions:
    """Options for a loopback broker."""
    return LinkOptions(host="127.0.0.1", port=port, client_id=client_id, **changes)  # type: ignore[arg-type]
