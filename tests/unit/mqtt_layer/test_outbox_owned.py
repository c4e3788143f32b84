"""Messages whose packet id and phase the caller keeps: held back, resumed, never mixed up (P57)."""

from mqtt_dashboard.mqtt.client import Outcome, Outgoing
from mqtt_dashboard.mqtt.outbox import Outbox
from mqtt_dashboard.mqtt.packet_ids import CALLERS, PacketIds
from tests.unit.mqtt_layer.recorder import Receipts


class Wire:
    """An outbox and everything it said."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.received: list[int] = []
        ids = PacketIds(reserved=CALLERS)
        self.outbox = Outbox(ids, lambda entry: (entry.message.resume or "new").encode(), self.send)
        self.outbox.send_release = lambda packet_id: self.sent.append(f"pubrel {packet_id}")

    def send(self, packet: bytes, finish: object) -> bool:
        self.sent.append(packet.decode())
        finish()  # type: ignore[operator]
        return True

    def accept(self, packet_id: int, deadline: float = 100.0, **more: object) -> Receipts:
        receipts = Receipts()
        self.outbox.accept(
            Outgoing(
                topic="t",
                payload=b"",
                qos=2,
                retain=False,
                deadline=deadline,
                done=receipts,
                packet_id=packet_id,
                on_received=lambda: self.received.append(packet_id),
                **more,  # type: ignore[arg-type]
            )
        )
        self.outbox.pump(0.0)
        return receipts


def outcomes(receipts: Receipts) -> list[Outcome]:
    return [receipt.outcome for receipt in receipts]


def test_pubrel_waits_for_the_callers_word() -> None:
    """PUBREC is told once, and PUBREL goes out only after `release`."""
    wire = Wire()
    receipts = wire.accept(7)
    assert wire.outbox.on_pubrec(7, 0, None) is None
    assert wire.outbox.on_pubrec(7, 0, None) is None
    assert wire.received == [7]
    assert wire.outbox.on_pubcomp(7, 0, None) is False
    wire.outbox.pump(0.0)
    assert wire.sent == ["new"]
    wire.outbox.release([7, 8])
    wire.outbox.pump(0.0)
    assert wire.sent == ["new", "pubrel 7"]
    wire.outbox.on_pubcomp(7, 0, None)
    assert outcomes(receipts) == [Outcome.ACKED]


def test_what_the_broker_has_is_not_ended_by_a_deadline() -> None:
    """After PUBREC the deadline neither ends the message nor wakes the loop."""
    wire = Wire()
    receipts = wire.accept(7, deadline=1.0)
    wire.outbox.on_pubrec(7, 0, None)
    assert wire.outbox.next_deadline() is None
    wire.outbox.expire(2.0)
    assert outcomes(receipts) == []


def test_a_release_resumed_too_late_is_done() -> None:
    """A PUBREL for an exchange the broker has finished (0x92) means that it was finished."""
    wire = Wire()
    receipts = wire.accept(7, resume="release")
    assert wire.sent == ["release"]
    wire.outbox.on_pubcomp(7, 0x92, None)
    assert outcomes(receipts) == [Outcome.ACKED]


def test_an_id_in_use_answers_a_repeated_publish() -> None:
    """Some brokers answer a repeated PUBLISH with 0x91, because they have the message."""
    wire = Wire()
    again, new = wire.accept(7, resume="publish"), wire.accept(8)
    assert wire.outbox.on_pubrec(7, 0x91, None) is None
    assert wire.outbox.on_pubrec(8, 0x91, None) is False
    assert (outcomes(again), outcomes(new)) == ([], [Outcome.FAILED])


def test_an_id_is_never_in_flight_twice() -> None:
    """A second message with the same id is given back unsent."""
    wire = Wire()
    wire.accept(7)
    (receipt,) = wire.accept(7)
    assert (receipt.outcome, receipt.unsent, wire.sent) == (Outcome.FAILED, True, ["new"])


def test_permission_is_asked_right_before_sending() -> None:
    """What may not be sent on this connection is given back unsent."""
    wire = Wire()
    (receipt,) = wire.accept(7, may_send=lambda: False)
    assert (receipt.outcome, receipt.unsent, wire.sent) == (Outcome.FAILED, True, [])


def test_a_lost_connection_tells_sent_from_unsent() -> None:
    """At the end of a connection what was sent is indeterminate, what was not may go again."""
    wire = Wire()
    sent = wire.accept(7)
    receipts = Receipts()
    wire.outbox.accept(Outgoing("t", b"", 1, False, 100.0, receipts))
    wire.outbox.close("gone", 0.0)
    assert (outcomes(sent), sent[0].unsent) == ([Outcome.INDETERMINATE], False)
    assert (outcomes(receipts), receipts[0].unsent) == ([Outcome.FAILED], True)


def test_ids_of_callers_are_never_handed_out() -> None:
    """The link's own ids lie above those that callers remember, and come round to there."""
    ids = PacketIds(reserved=CALLERS)
    taken = {ids.take() for _ in range(65_535 - CALLERS)}
    assert min(one for one in taken if one is not None) == CALLERS + 1
    assert ids.take() is None
