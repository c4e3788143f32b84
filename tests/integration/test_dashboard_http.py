"""The HTTP interface: truthful reads, publish paths, refusals in words, no file oracle."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from mqtt_dashboard.contract.commands import CommandReply, PublishCommand
from tests.support.dashboard_server import BeatingBridge, DashboardServer, viewers
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.servers import wait_for

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run Redis, a bridge that only writes, and a dashboard."""
    folder = tmp_path_factory.mktemp("http")
    with running_stack(folder, PUBLISH_TIMEOUT="1") as running_one:
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


def test_p66_status_tells_broker_bridge_and_redis_apart(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """P66: `connected` is the bridge's MQTT session; Redis answering proves nothing."""
    status = dashboard.broker()
    assert (status["connected"], status["bridge"]["alive"]) == (True, True)
    assert (status["broker"]["host"], status["broker"]["port"]) == ("broker.example", 1883)
    assert status["age_s"] < 2
    bridge.connected = False
    wait_for(lambda: dashboard.broker()["connected"] is False, "the session is gone", 3)
    assert dashboard.broker()["redis"]["status"] == "up"
    health = dashboard.get("/health")
    assert health[0] == 200
    assert health[1]["status"] == "degraded"
    assert dashboard.get("/readyz")[0] == 503


def test_health_has_the_agreed_keys(dashboard: DashboardServer) -> None:
    """P67: `/health` is truthful and keeps its keys."""
    with viewers(dashboard, 2):
        status, body = dashboard.get("/health")
    assert status == 200
    assert body["status"] == "healthy"
    assert body["service"] == "mqtt-dashboard"
    assert body["redis"]["status"] == "up"
    assert body["websocket"] == {"status": "up", "connected_clients": 2}


def test_p15_reads_come_with_their_age(dashboard: DashboardServer, bridge: BeatingBridge) -> None:
    """P15, P23: statistics, version, clients and topics answer from shared state, with age."""
    bridge.feed.stats(version="mosquitto version 2.0.11", uptime=77)
    bridge.feed.clients("lamp")
    bridge.feed.topics(("a/b", b"1"), ("a/\xe4", b"\xff"), ("b", b"2"))
    wait_for(lambda: dashboard.get("/api/topics")[1]["left_out"] == 0, "topics are announced")
    stats = dashboard.get("/api/broker/stats")[1]
    assert (stats["data"]["uptime"], stats["data"]["retained"], stats["stale"]) == (77, None, False)
    assert dashboard.get("/api/broker/version")[1]["broker"] == "mosquitto version 2.0.11"
    clients = dashboard.get("/api/clients")[1]
    assert (clients["known"], clients["clients"][0]["client_id"]) == (1, "lamp")
    assert clients["age_s"] < 5


def test_p53_publish_reports_the_brokers_word(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """P53: the answer is the result of this very command, not a hope."""
    status, body = dashboard.publish(topic="lamp/set", payload="on", qos=1, retain=True)
    assert status == 200
    assert (body["ok"], body["state"], body["topic"]) == (True, "acked", "lamp/set")
    (command,) = bridge.commands
    assert isinstance(command, PublishCommand)
    assert command.id == body["id"]
    assert (command.topic, command.payload, command.qos, command.retain) == (
        "lamp/set",
        "on",
        1,
        True,
    )
    assert command.deadline is not None


@pytest.mark.parametrize(
    ("state", "status"),
    [("sent", 200), ("failed", 502), ("expired", 504), ("indeterminate", 504)],
)
def test_p54_each_result_has_its_status(
    dashboard: DashboardServer, bridge: BeatingBridge, state: str, status: int
) -> None:
    """P54: failed, expired and indeterminate are told apart and never called a success."""

    def answer(command: PublishCommand) -> CommandReply:
        raw = {"id": command.id, "state": state, "reason": "because", "code": 135}
        return msgspec.convert(raw, CommandReply)

    bridge.answer = answer
    got, body = dashboard.publish(topic="t")
    assert got == status
    assert (body["state"], body["reason"], body["code"]) == (state, "because", 135)
    assert body["ok"] is (status == 200)


def test_a_silent_bridge_is_indeterminate_within_the_deadline(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """A bridge that takes the command and says nothing leaves the result open, and says so."""
    bridge.answer = lambda _command: None
    status, body = dashboard.publish(topic="t")
    assert status == 504
    assert body["state"] == "indeterminate"
    assert "no result within 2 s" in body["reason"]


def test_publishing_over_the_socket_answers_alike(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """The socket event `publish` is acknowledged with the same document."""
    with viewers(dashboard) as (viewer,):
        reply = viewer.call("publish", {"topic": "t", "payload": "1", "qos": 1})
        assert (reply["ok"], reply["state"]) == (True, "acked")
        refused = viewer.call("publish", {"topic": "a/#"})
        assert refused["ok"] is False
        assert "wildcards" in refused["reason"]
        assert viewer.call("publish", {"topic": "t", "qos": 7})["ok"] is False
        assert viewer.call("publish", None)["ok"] is False
    assert len(bridge.commands) == 1


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b'{"topic": "a/#"}', 422, "topic"),
        (b'{"topic": ""}', 422, "topic"),
        (b'{"topic": "a", "qos": 7}', 422, "qos"),
        (b'{"topic": "a", "qos": "1"}', 422, "qos"),
        (b'{"topic": "a", "payload": {"x": 1}}', 422, "payload"),
        (b'{"topic": "a", "payload": "*", "encoding": "base64"}', 422, "payload"),
        (b'{"topic": "a", "encoding": "hex"}', 422, "encoding"),
        (b'{"payload": "x"}', 422, "topic"),
        (b'{"topic": "a", "colour": 1}', 422, "colour"),
        (b'{"topic": "a\\u0000"}', 422, "topic"),
        (b'{"topic": ["a"]}', 422, "topic"),
        (b'{"topic": NaN}', 400, None),
        (b"[]", 400, None),
        (b"", 400, None),
        (b"\xff", 400, None),
        (b"[" * 100_000, 400, None),
    ],
)
def test_p51_invalid_publishes_name_the_field(
    dashboard: DashboardServer, bridge: BeatingBridge, body: bytes, status: int, field: str | None
) -> None:
    """P51: nothing invalid is passed on; the answer names the field."""
    got, text, _ = dashboard.request(
        "POST", "/api/messages/publish", body, {"Content-Type": "application/json"}
    )
    answer = msgspec.json.decode(text)
    assert (got, answer["field"]) == (status, field), answer
    assert answer["message"]
    assert bridge.commands == []


def test_too_large_and_wrongly_labelled_bodies_are_refused(dashboard: DashboardServer) -> None:
    """P58: bodies have a bound, and only JSON is read (a form cannot be posted across sites)."""
    large = b'{"topic": "a", "payload": "' + b"x" * 3_000_000 + b'"}'
    label = {"Content-Type": "application/json"}
    assert dashboard.request("POST", "/api/messages/publish", large, label)[0] == 413
    middle = b'{"topic": "a", "payload": "' + b"x" * 1_500_000 + b'"}'
    assert dashboard.request("POST", "/api/messages/publish", middle, label)[0] == 422
    form = {"Content-Type": "text/plain"}
    assert dashboard.request("POST", "/api/messages/publish", b"{}", form)[0] == 415


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "evil.example:8082"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "user@127.0.0.1"},
        {"Host": ""},
    ],
)
def test_p58_foreign_pages_cannot_publish(
    dashboard: DashboardServer, bridge: BeatingBridge, headers: dict[str, str]
) -> None:
    """P58: foreign origins, cross-site requests and foreign host names are refused."""
    got, text, _ = dashboard.request(
        "POST",
        "/api/messages/publish",
        b'{"topic": "a"}',
        {"Content-Type": "application/json", **headers},
    )
    assert got == 403, text
    assert msgspec.json.decode(text)["error"] == "forbidden"
    assert bridge.commands == []


def test_own_origin_may_publish(dashboard: DashboardServer, bridge: BeatingBridge) -> None:
    """The page's own requests pass."""
    got, _, _ = dashboard.request(
        "POST",
        "/api/messages/publish",
        b'{"topic": "a"}',
        {
            "Content-Type": "application/json",
            "Origin": dashboard.url,
            "Sec-Fetch-Site": "same-origin",
        },
    )
    assert got == 200
    assert len(bridge.commands) == 1


@pytest.mark.parametrize(
    "path", ["/api/topics", "/api/topics/levels", "/api/broker/story", "/api/commands"]
)
@pytest.mark.parametrize(
    "limit", ["0", "-1", "1001", "1.5", "x", "", "\u0661", "1e2", "00001000999999", "9" * 5000]
)
def test_p51_a_limit_is_kept_or_refused(dashboard: DashboardServer, path: str, limit: str) -> None:
    """A page has at most 1,000 entries, however its size is written."""
    status, body = dashboard.get(f"{path}?limit={quote(limit)}")
    assert (status, body["field"]) == (400, "limit")
    assert dashboard.get(f"{path}?limit=10")[0] == 200


@pytest.mark.parametrize("path", ["/api/nope", "/api/", "/api", "/api/broker", "/api/x.json"])
def test_p72_unknown_api_path_is_a_json_404(dashboard: DashboardServer, path: str) -> None:
    """P72: `/api/*` never answers with a page."""
    status, body = dashboard.get(path)
    assert status == 404
    assert body["error"] == "not_found"


def test_wrong_method_is_a_json_405(dashboard: DashboardServer) -> None:
    """A known path with a wrong method says so in JSON."""
    status, text, _ = dashboard.request("GET", "/api/messages/publish")
    assert status in {404, 405}
    assert msgspec.json.decode(text)["message"]


def test_p71_no_answer_tells_whether_a_foreign_file_exists(dashboard: DashboardServer) -> None:
    """P71: paths that leave the folder answer alike, whether the file exists or not."""
    pairs = [
        ("/../../../../../../../../etc/passwd", "/../../../../../../../../etc/no-such"),
        ("/..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd", "/..%2f..%2f..%2fetc%2fnone"),
        ("/assets/../../app.py", "/assets/../../none.py"),
        ("//etc/passwd", "//etc/none"),
    ]
    for existing, missing in pairs:
        one, other = dashboard.request("GET", existing), dashboard.request("GET", missing)
        assert (one[0], one[1]) == (other[0], other[1]), existing
        assert b"root:" not in one[1]


def test_every_answer_carries_the_security_headers(dashboard: DashboardServer) -> None:
    """Pages, JSON and refusals alike carry the policy."""
    for path in ("/", "/api/broker/status", "/api/none", "/metrics"):
        headers = dashboard.request("GET", path)[2]
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    refused = dashboard.request("GET", "/", headers={"Host": "evil.example"})
    assert refused[0] == 403
    assert refused[2]["x-content-type-options"] == "nosniff"


def test_openapi_is_the_generated_document(dashboard: DashboardServer) -> None:
    """The served document is byte for byte the one in the repository."""
    _, body, _ = dashboard.request("GET", "/openapi.json")
    assert body == (ROOT / "docs/reference/openapi.json").read_bytes()


def test_metrics_count_what_viewers_got(dashboard: DashboardServer, bridge: BeatingBridge) -> None:
    """The account `matched = sent + conflated + dropped + buffered` can be read by Prometheus."""
    with viewers(dashboard) as (viewer,):
        viewer.subscribe("m/#")
        bridge.feed.messages(*((f"m/{number}", "x") for number in range(1500)))
        wait_for(lambda: sum(one["dropped"] for one in viewer.frames()) == 500, "drops are told")
        assert len(viewer.messages()) == 1000
        assert viewer.messages()[-1]["topic"] == "m/1499"
    values = _metrics(dashboard)
    matched = values("viewer_messages_matched_total")
    assert matched >= 1500
    assert matched == (
        values("viewer_messages_sent_total")
        + values("viewer_messages_conflated_total")
        + values("viewer_messages_dropped_total")
        + values("viewer_messages_buffered")
    )


def _metrics(dashboard: DashboardServer) -> Callable[[str], float]:
    text = dashboard.request("GET", "/metrics")[1].decode()

    def total(name: str) -> float:
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith(f"mqtt_dashboard_{name}") and not line.startswith("#")
        )

    return total


def test_concurrent_publishes_get_their_own_results(
    dashboard: DashboardServer, bridge: BeatingBridge
) -> None:
    """P55, P56: replies are keyed by the command's id; nobody gets another's result."""
    bridge.answer = lambda command: CommandReply(
        id=command.id or "", state="acked", reason=command.topic
    )
    results: dict[str, str] = {}

    def publish(topic: str) -> None:
        results[topic] = dashboard.publish(topic=topic)[1]["reason"]

    threads = [threading.Thread(target=publish, args=(f"t/{number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert results == {f"t/{number}": f"t/{number}" for number in range(20)}
