"""Messages that are longer than a list shows: whole over HTTP as long as the log holds them."""

import json
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from mqtt_dashboard.bus.topic_history import SCAN_BYTES
from mqtt_dashboard.contract.messages import LogMessage
from mqtt_dashboard.contract.topic_entry import TopicEntry
from tests.support.dashboard_server import BeatingBridge, DashboardServer
from tests.support.dashboard_stack import Stack, running_stack

KEPT = 4096
HUGE = json.dumps({"rows": [{"id": number, "name": "item"} for number in range(20_000)]}).encode()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run Redis, a bridge that only writes, and a dashboard."""
    with running_stack(tmp_path_factory.mktemp("whole")) as running_one:
        yield running_one


@pytest.fixture
def bridge(stack: Stack) -> BeatingBridge:
    """Return the bridge, as new."""
    stack.reset()
    return stack.bridge


@pytest.fixture
def dashboard(stack: Stack, bridge: BeatingBridge) -> DashboardServer:
    """Return the dashboard, which has seen the bridge."""
    return stack.dashboard


def _publish(bridge: BeatingBridge, topic: str, payload: bytes) -> float:
    """Write one message as the bridge does: whole into the log, its beginning into the index."""
    now = time.time()
    bridge.feed.log([LogMessage(topic, payload, 1, retain=True, dup=False, timestamp=now)])
    bridge.feed.entry(
        TopicEntry(topic, payload[:KEPT], len(payload), 1, True, 1, now, now, rate=0.0)
    )
    return now


def _noise(bridge: BeatingBridge, batches: int) -> None:
    for number in range(batches):
        bridge.feed.messages(*((f"noise/{number}/{one}", "x" * 500) for one in range(20)))


def _bytes(dashboard: DashboardServer, **query: object) -> tuple[int, bytes, dict[str, str]]:
    return dashboard.request("GET", f"/api/topics/payload?{urlencode(query)}")


def test_p44_the_last_value_is_whole_although_the_index_keeps_its_beginning(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """P44: the bytes and the document come whole from the log, the download as an attachment."""
    _noise(bridge, 30)
    _publish(bridge, "lab/huge", HUGE)
    _noise(bridge, 30)
    status, body, headers = _bytes(dashboard, topic="lab/huge")
    assert (status, headers["x-truncated"]) == (200, "0")
    assert body == HUGE
    assert headers["content-disposition"].startswith("attachment")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"] == "application/octet-stream"
    message = dashboard.get("/api/topics/message?topic=lab/huge")[1]
    assert message["payload"].encode() == HUGE
    assert ("truncated" in message, message["size"], message["qos"]) == (False, len(HUGE), 1)
    past = dashboard.get("/api/topics/history?topic=lab/huge")[1]["messages"]
    assert [(one["seq"], one["truncated"]) for one in past] == [(message["seq"], True)]


def test_p44_a_value_sent_long_ago_is_found_without_reading_all_that_came_since(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """P44: behind more bytes than one look back reads, the last value is whole all the same."""
    _publish(bridge, "lab/seldom", HUGE)
    for _ in range(SCAN_BYTES // 1_000_000 + 2):
        bridge.feed.messages(("noise/large", "x" * 1_000_000))
    past = dashboard.get("/api/topics/history?topic=lab/seldom")[1]
    assert (past["messages"], past["cut"] is None) == ([], False)
    assert _bytes(dashboard, topic="lab/seldom")[1] == HUGE
    bridge.feed.client.delete(bridge.feed.channels.message_log)


def test_p44_an_earlier_message_is_whole_by_its_number(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """P44: each of several long messages is found among many others, over a change of epoch."""
    wanted = {}
    for number in range(4):
        if number == 2:
            bridge.feed.epoch += 1
            bridge.feed.seq = 0
        _noise(bridge, 7)
        payload = bytes([number]) * 100_000 + b"\xff"
        _publish(bridge, "lab/many", payload)
        wanted[bridge.feed.epoch, bridge.feed.seq] = payload
    bridge.feed.seq -= 1  # the bridge writes a batch again when Redis answered too late
    _publish(bridge, "lab/many", wanted[bridge.feed.epoch, bridge.feed.seq + 1])
    for (epoch, seq), payload in wanted.items():
        assert _bytes(dashboard, topic="lab/many", epoch=epoch, seq=seq)[:2] == (200, payload)
        query = urlencode({"topic": "lab/many", "epoch": epoch, "seq": seq})
        message = dashboard.get(f"/api/topics/message?{query}")[1]
        assert (message["epoch"], message["seq"]) == (epoch, seq)
        assert (message["encoding"], message["size"]) == ("base64", len(payload))
    epoch, seq = next(iter(wanted))
    # The number of a message of one topic opens no other topic.
    assert _bytes(dashboard, topic="lab/other", epoch=epoch, seq=seq)[0] == 404
    assert _bytes(dashboard, topic="lab/many", epoch=epoch, seq=seq + 1)[0] == 404


def test_p44_what_the_log_has_left_behind_is_said(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """P44: of a value that only the index knows, the beginning comes and is marked as such."""
    _publish(bridge, "lab/old", HUGE)
    epoch, seq = bridge.feed.epoch, bridge.feed.seq
    bridge.feed.client.delete(bridge.feed.channels.message_log)
    _noise(bridge, 3)
    status, body, headers = _bytes(dashboard, topic="lab/old")
    assert (status, body, headers["x-truncated"]) == (200, HUGE[:KEPT], "1")
    for more in ("", f"&epoch={epoch}&seq={seq}"):
        status, answer = dashboard.get(f"/api/topics/message?topic=lab/old{more}")
        assert (status, answer["error"]) == (404, "not_in_log")
    assert _bytes(dashboard, topic="lab/old", epoch=epoch, seq=seq)[0] == 404
    status, answer = dashboard.get("/api/topics/message?topic=never/seen")
    assert (status, answer["error"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("topic=&epoch=1&seq=1", "topic"),
        ("topic=a&epoch=1", "seq"),
        ("topic=a&seq=1", "epoch"),
        ("topic=a&epoch=1&seq=-1", "seq"),
        ("topic=a&epoch=x&seq=1", "epoch"),
        ("topic=a&epoch=1&seq=9007199254740992", "seq"),
    ],
)
@pytest.mark.parametrize("route", ["message", "payload"])
def test_bad_numbers_name_the_field(
    dashboard: DashboardServer, route: str, query: str, field: str
) -> None:
    """A number that is none, or half of one, is refused."""
    status, body = dashboard.get(f"/api/topics/{route}?{query}")
    assert (status, body["field"]) == (400, field)
