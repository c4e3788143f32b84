"""The queue between link and forwarder keeps its bound and its account."""

from mqtt_dashboard.bridge.inbox import MAX_BATCH, MAX_BATCH_BYTES, Inbox
from mqtt_dashboard.mqtt.client import Incoming


def message(number: int, *, qos: int = 0, size: int = 10) -> Incoming:
    return Incoming(f"t/{number}", b"x" * size, qos, False, False, None, number if qos else 0)


def taken(inbox: Inbox) -> list[tuple[float, Incoming]]:
    return [(at, one) for at, messages in inbox.take(0).arrivals for one in messages]


def balanced(inbox: Inbox) -> bool:
    account = inbox.traffic()
    dropped = sum(account.dropped.values())
    return account.received == account.forwarded + dropped + account.queued


def test_messages_leave_in_the_order_they_came() -> None:
    """Order is kept across reads, and a batch never exceeds its limit."""
    inbox = Inbox(64 * 1024 * 1024)
    inbox.offer([message(n) for n in range(1500)], 1.0)
    inbox.offer([message(n) for n in range(1500, 1700)], 2.0)
    first, second = taken(inbox), taken(inbox)
    assert len(first) == MAX_BATCH
    assert [m.topic for _, m in first + second] == [f"t/{n}" for n in range(1700)]
    assert second[-1][0] == 2.0
    assert inbox.traffic().queued == 1700
    inbox.settle(1700)
    assert inbox.traffic().queued == 0
    assert balanced(inbox)


def test_a_batch_of_large_messages_is_bounded_in_bytes() -> None:
    """A batch ends with the message that passes its bytes, long before its number of messages."""
    inbox = Inbox(64 * 1024 * 1024)
    size = MAX_BATCH_BYTES // 4
    inbox.offer([message(n, size=size) for n in range(10)], 1.0)
    assert [len(taken(inbox)) for _ in range(3)] == [4, 4, 2]


def test_a_full_queue_leaves_out_qos_0_and_counts_it() -> None:
    """Past its bytes the queue refuses QoS 0 with a count, while QoS 1 is always taken."""
    inbox = Inbox(10_000)
    inbox.offer([message(n, size=1000) for n in range(7)], 1.0)
    inbox.offer([message(100, size=5000), message(101, qos=1, size=5000)], 2.0)
    account = inbox.traffic()
    assert account.dropped == {"queue_full": 1}
    assert account.queued == 8
    assert balanced(inbox)
    assert taken(inbox)[-1][1].topic == "t/6"
    assert [m.topic for _, m in taken(inbox)] == ["t/101"]


def test_room_comes_back_when_messages_are_taken() -> None:
    """The bound is on what waits, not on what ever passed."""
    inbox = Inbox(5_000)
    for _round in range(50):
        inbox.offer([message(1, size=3000)], 1.0)
        assert len(taken(inbox)) == 1
        inbox.settle(1)
    assert inbox.traffic().dropped == {}
    assert balanced(inbox)


def test_unreadable_messages_are_part_of_the_account() -> None:
    """A malformed message is received and dropped, by name."""
    inbox = Inbox(5_000)
    inbox.refuse("malformed")
    assert inbox.traffic().dropped == {"malformed": 1}
    assert balanced(inbox)
