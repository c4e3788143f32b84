"""The queue of outgoing messages: bounded, and one receipt for each message (P54)."""

import pytest

from mqtt_dashboard.errors import LinkError, QueueFullError
from mqtt_dashboard.mqtt.client import Outcome, Outgoing, Receipt
from mqtt_dashboard.mqtt.outbox import Limits, Outbox
from mqtt_dashboard.mqtt.packet_ids import PacketIds
from tests.unit.mqtt_layer.recorder import Receipts


class Wire:
    """Where an outbox writes to; ``blocked`` is a socket that takes nothing."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.blocked = False
        self.ids = PacketIds(first=1)
        self.outbox = Outbox(self.ids, lambda entry: bytes(entry.packet_id), self.send)

    def send(self, packet: bytes, finish: object) -> bool:
        if self.blocked:
            return False
        self.sent.append(len(packet))
        finish()  # type: ignore[operator]
        return True

    def accept(self, qos: int, deadline: float = 100.0, payload: bytes = b"") -> Receipts:
        receipts = Receipts()
        message = Outgoing("t", payload, qos, False, deadline, receipts)  # type: ignore[arg-type]
        self.outbox.accept(message)
        return receipts


def outcomes(receipts: Receipts) -> list[Outcome]:
    return [receipt.outcome for receipt in receipts]


def test_full() -> None:
    """A queue without room refuses; a receipt makes room again."""
    wire = Wire()
    wire.outbox.max_messages = 2
    first, _ = wire.accept(0), wire.accept(0)
    with pytest.raises(QueueFullError):
        wire.accept(0)
    wire.outbox.pump(0.0)
    assert outcomes(first) == [Outcome.SENT]
    wire.accept(0)


def test_full_by_bytes() -> None:
    """Bytes are bounded too, but one message always fits."""
    wire = Wire()
    wire.outbox.max_bytes = 10
    wire.accept(0, payload=bytes(50))
    with pytest.raises(QueueFullError):
        wire.accept(0, payload=b"1")


def test_window_of_the_broker() -> None:
    """No more messages are in flight than the broker allows; an answer lets the next one go."""
    wire = Wire()
    wire.outbox.limits = Limits(receive_maximum=2)
    receipts = [wire.accept(1) for _ in range(3)]
    wire.outbox.pump(0.0)
    assert wire.sent == [1, 2]
    assert wire.outbox.on_puback(2, 0, None)
    wire.outbox.pump(0.0)
    assert wire.sent == [1, 2, 3]
    assert [outcomes(r) for r in receipts] == [[], [Outcome.ACKED], []]


def test_late_answer_after_the_deadline() -> None:
    """After its deadline a sent message is indeterminate, and stays so when the answer comes."""
    wire = Wire()
    receipts = wire.accept(1, deadline=5.0)
    wire.outbox.pump(0.0)
    wire.outbox.expire(5.0)
    assert outcomes(receipts) == [Outcome.INDETERMINATE]
    assert wire.outbox.on_puback(1, 0, None)
    assert len(receipts) == 1


def test_blocked_message_expires_unsent() -> None:
    """A message that could not be written before its deadline is expired and never sent."""
    wire = Wire()
    wire.blocked = True
    receipts = wire.accept(1, deadline=5.0)
    wire.outbox.pump(0.0)
    wire.outbox.expire(6.0)
    wire.blocked = False
    wire.outbox.pump(6.0)
    assert outcomes(receipts) == [Outcome.EXPIRED]
    assert wire.sent == []


def test_loss() -> None:
    """At a loss: unsent is failed, unsent and late is expired, unconfirmed is indeterminate."""
    wire = Wire()
    sent = wire.accept(2)
    wire.outbox.pump(0.0)
    wire.blocked = True
    waiting, late = wire.accept(1), wire.accept(1, deadline=1.0)
    wire.outbox.close("gone", 2.0)
    assert outcomes(sent) == [Outcome.INDETERMINATE]
    assert outcomes(waiting) == [Outcome.FAILED]
    assert outcomes(late) == [Outcome.EXPIRED]
    with pytest.raises(LinkError):
        wire.accept(0)
    # The id of the QoS 2 message is not used again while the broker may remember it.
    wire.ids.new_connection(session_present=True)
    assert 1 not in {wire.ids.take() for _ in range(65534)}
    assert wire.ids.take() is None


def test_a_failing_callback_harms_nobody() -> None:
    """An owner's callback that raises costs neither the connection nor the other messages."""

    def explode(_receipt: Receipt) -> None:
        raise RuntimeError("owner")

    wire = Wire()
    wire.outbox.accept(Outgoing("t", b"", 0, False, 9.0, explode))
    receipts = wire.accept(0)
    wire.outbox.pump(0.0)
    assert outcomes(receipts) == [Outcome.SENT]
    assert wire.outbox.empty
