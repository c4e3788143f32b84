"""G18: thousands of ways to abuse HTTP, websockets and packets; good users go on undisturbed."""

import contextlib
import gzip
import re
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support import hostile_web
from tests.support.dashboard_server import DashboardServer
from tests.support.dashboard_stack import running_stack
from tests.support.good_user import GoodUser, Peak
from tests.support.hostile_bombs import BOMBS
from tests.support.hostile_site import Site, is_closed
from tests.support.hostile_web import Case, frame, request
from tests.support.servers import wait_for
from tests.support.visitors import PASSWORD, Visitor, make_token, store_of

pytestmark = pytest.mark.xdist_group("hostile_web")

GROWTH_BYTES = 16 * 1024 * 1024
# All of the thousands together, over what an idle worker needs.
WHOLE_GROWTH_BYTES = 48 * 1024 * 1024
AT_ONCE = 24


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Run a dashboard of one worker that asks for sign-in."""
    environ = {"AUTH_MODE": "required", "ADMIN_PASSWORD": PASSWORD}
    folder = tmp_path_factory.mktemp("hostile")
    with running_stack(folder, REQUESTS_PER_MINUTE="1000000", **environ) as stack:
        wait_for(lambda: store_of(stack.redis.port).has_users(), "the first user")
        yield Site(stack, make_token(stack.redis.port, "operator"))


def test_thousands_of_cases_harm_nobody(site: Site) -> None:
    """G18: at least 2,000 cases; no failure, no growth, no traceback, and good users are served.

    Requests come from strangers and from somebody who is signed in, frames and packets from the
    latter alone: a stranger has no websocket.
    """
    port, process = site.port, site.worker()
    before = process.memory_info().rss
    count = 0
    with GoodUser(site.stack, site.token) as good:
        for cases in (
            hostile_web.http_cases,
            hostile_web.body_cases,
            hostile_web.head_cases,
            hostile_web.upgrade_cases,
        ):
            count += len(site.check(cases(port)))
            count += len(site.check(site.signed_in(cases(port))))
        count += len(site.check(hostile_web.frame_cases()))
        count += len(site.check(hostile_web.packet_cases()))
    good.check()
    assert count >= 2500
    assert site.worker().pid == process.pid
    assert process.memory_info().rss - before < WHOLE_GROWTH_BYTES
    metrics = site.stack.dashboard.request("GET", "/metrics", headers=site.known)[1].decode()
    assert "loop_failures" not in metrics
    refused = re.search(r"packets_refused_total\{reason=\"\"\} (\d+)", metrics)
    assert refused is not None
    assert int(refused[1]) > 100
    assert "Traceback" not in site.stack.dashboard.output()


def test_strangers_get_no_further_than_the_door(site: Site) -> None:
    """G18: frames and packets behind a handshake that is refused: 401, closed, nothing kept."""
    process = site.worker()
    cases = [*hostile_web.frame_cases(), *hostile_web.packet_cases()][::4]
    site.check(site.before_the_door(cases))
    before = process.memory_info().rss
    with GoodUser(site.stack, site.token) as good:
        answers = site.check(site.before_the_door(cases))
    good.check()
    # A line that is closed before all was read from it is reset, and the answer may go with it.
    told = [answer[:12] for answer in answers if answer]
    assert set(told) == {b"HTTP/1.1 401"}
    assert len(told) > len(cases) / 2
    assert process.memory_info().rss - before < GROWTH_BYTES
    assert site.worker().pid == process.pid
    assert "Traceback" not in site.stack.dashboard.output()


def test_what_is_foreign_is_refused_by_name(site: Site) -> None:
    """Host, Origin, Sec-Fetch-Site and compression: each with the status that says it."""
    server = site.stack.dashboard
    own = f"http://127.0.0.1:{server.port}"
    assert server.upgrade(Origin=own, **site.known) == 101
    assert server.upgrade(**site.known) == 101
    assert server.upgrade(Origin=own) == 401
    for headers in (
        {"Origin": "null"},
        {"Origin": own + ".evil"},
        {"Sec_Fetch_Site": "cross-site"},
    ):
        assert server.upgrade(**headers, **site.known) == 403
    assert server.upgrade(Host="evil.example") == 403
    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
    ):
        assert server.request("POST", "/api/auth/logout", b"", headers)[0] == 403
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip", **site.known}
    body = gzip.compress(b'{"topic":"a"}')
    status, answer, _ = server.request("POST", "/api/messages/publish", body, packed)
    assert (status, b"compress" in answer) == (415, True)


@pytest.mark.parametrize("bomb", BOMBS)
def test_p70_one_connection_costs_little_memory(site: Site, bomb: Callable[[Site], None]) -> None:
    """P70, G18: whatever one connection sends, compressed or not, the worker grows by < 16 MB."""
    with Peak(site.worker()) as peak:
        bomb(site)
    assert peak.growth < GROWTH_BYTES
    assert site.stack.dashboard.get("/healthz")[0] == 200


def slow_connections(site: Site, count: int, seconds: float) -> None:
    """Open many connections that send a byte now and then, and see that good users are served."""
    port = site.stack.dashboard.port
    head = request(port, headers={"X-Slow": "x"})[:-2]
    post = request(
        port,
        "POST",
        "/api/auth/login",
        {"Content-Length": "9999", "Content-Type": "application/json"},
    )
    with contextlib.ExitStack() as held, GoodUser(site.stack, site.token) as good:
        slow: list[socket.socket] = []
        for number in range(count):
            connection = socket.create_connection(("127.0.0.1", port), timeout=5)
            held.callback(connection.close)
            connection.sendall((head, post, b"G", b"")[number % 4])
            slow.append(connection)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for connection in slow:
                with contextlib.suppress(OSError):
                    connection.send(b"x")
            time.sleep(0.5)
        # Only bodies may still be on their way; heads get no more than a few seconds.
        gone = sum(is_closed(one) for number, one in enumerate(slow) if number % 4 != 1)
        assert gone == sum(number % 4 != 1 for number in range(count))
    good.check()


def test_500_slow_connections_hold_nobody_up(site: Site) -> None:
    """G18: slow heads and bodies keep no place for long, and nobody waits for them."""
    slow_connections(site, 500, 7)


def test_who_takes_too_long_keeps_no_place(site: Site) -> None:
    """A body has 20 s as a whole, however regularly its bytes come; an upgrade 10 s to join."""
    port = site.stack.dashboard.port
    idle = [site.opened() for _ in range(20)]
    started = time.monotonic()
    headers = {"Content-Type": "application/json", "Content-Length": "9999", **site.known}
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request(port, "POST", "/api/commands", headers, b'{"topic":"'))
        connection.settimeout(0.5)
        answer, joined_at = b"", 0.0
        while not answer and time.monotonic() - started < 26:
            if not joined_at and all(is_closed(one) for one in idle):
                joined_at = time.monotonic()
            with contextlib.suppress(TimeoutError):
                connection.send(b"x")
                answer = connection.recv(100)
    assert answer.startswith(b"HTTP/1.1 408")
    assert 18 < time.monotonic() - started < 25
    assert 8 < joined_at - started < 15
    for one in idle:
        one.close()


@pytest.mark.parametrize(
    "data",
    [
        frame(1, b'451-["x",{"_placeholder":true,"num":0}]'),
        frame(1, b"40/other,"),
        frame(1, b"42[1]"),
        frame(1, b"431[]"),
        frame(1, b"bAAAA"),
        frame(1, b'42["x",' + b"[" * 9000),
        frame(2, b"\x04"),
        frame(1, b'42["connect"]'),
        frame(1, b'427["disconnect",{}]'),
    ],
    ids=[
        "attachment",
        "namespace",
        "no-name",
        "no-number",
        "base64",
        "deep",
        "binary",
        "connect",
        "disconnect",
    ],
)
def test_what_no_client_of_ours_sends_ends_the_connection(site: Site, data: bytes) -> None:
    """Binary packets, namespaces, acknowledgements, broken events: nothing is kept for them."""
    with site.opened() as connection:
        connection.sendall(frame(1, b"40") + data)
        wait_for(lambda: is_closed(connection), "it is cut", 3)


@pytest.mark.parametrize("size", [b"-1", b"x", b"", b"0x2", b"2 x", b"F" * 17, b"2\n", b"\xb2"])
def test_chunks_that_are_none_are_the_clients_mistake(site: Site, size: bytes) -> None:
    """A chunked body with a broken size, first or later, is answered with 4xx or not at all."""
    port = site.stack.dashboard.port
    for chunks in (size + b"\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n" + size + b"\r\n0\r\n\r\n"):
        headers = {
            "Content-Type": "application/json",
            "Transfer-Encoding": "chunked",
            **site.known,
        }
        case = Case("chunks", request(port, "POST", "/api/messages/publish", headers, chunks))
        answer = site.answer_to(case)
        assert answer[:10] in {b"HTTP/1.1 4", b""}, answer[:200]
    assert "Traceback" not in site.stack.dashboard.output()


def test_who_does_not_answer_a_close_keeps_no_place(site: Site) -> None:
    """After a client has said that it leaves, the connection ends, whatever the client does."""
    with site.opened() as connection:
        connection.sendall(frame(1, b"40") + frame(1, b"1"))
        wait_for(lambda: is_closed(connection), "it is shut down", 5)


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "REMOTE_USER"])
def test_no_header_moves_a_request(site: Site, name: str) -> None:
    """What a request asks for, and for whom, stands in no header that anybody may send."""
    for value in ("/x", "/api", "/healthz"):
        headers = {**site.known, name: value}
        answer = site.stack.dashboard.request("GET", "/api/broker/version", headers=headers)
        assert (answer[0], b"contract" in answer[1]) == (200, True)


def test_asking_without_reading_ends(site: Site) -> None:
    """Requests whose answers nobody reads pile up only so far."""
    with Peak(site.worker()) as peak, site.opened() as connection:
        connection.settimeout(10)
        connection.sendall(frame(1, b"40"))
        with contextlib.suppress(OSError):
            for _ in range(400):
                connection.sendall(frame(1, b"40") * 500)
        wait_for(lambda: is_closed(connection), "it is cut", 30)
    assert peak.growth < GROWTH_BYTES


def test_limits_on_requests_and_on_sockets(
    site: Site, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Past the limit requests get 429, upgrades too, probes never; a socket's requests have one."""
    folder = tmp_path_factory.mktemp("limits")
    dashboard = DashboardServer(folder, site.stack.redis.port, REQUESTS_PER_MINUTE="30")
    dashboard.start()
    try:
        statuses = [dashboard.get("/api/topics")[0] for _ in range(40)]
        assert statuses.count(200) <= 30
        assert statuses[-1] == 429
        assert dashboard.upgrade() == 429
        assert dashboard.get("/healthz")[0] == 200
        status, _, headers = dashboard.request("GET", "/api/topics")
        assert status == 429
        assert int(headers["retry-after"]) >= 1
    finally:
        dashboard.kill()
    viewer = Visitor(site.stack.dashboard, site.token)
    viewer.connect()
    replies = [viewer.call("subscribe", {"filter": "a/#"}) for _ in range(120)]
    assert replies[0]["ok"]
    assert "too many requests" in replies[-1]["message"]
    viewer.close()


@pytest.mark.chaos
@pytest.mark.timeout(1200)
def test_slow_connections_for_long(site: Site) -> None:
    """The same as above with 2,000 connections for a minute, and all cases again and again."""
    slow_connections(site, 2000, 60)
    port, process = site.stack.dashboard.port, site.worker()
    with GoodUser(site.stack, site.token) as good:
        for _ in range(8):
            _all_cases(site, port)
        # What a connection held stays until its ping is due: by now as many go as come.
        before = process.memory_info().rss
        for _ in range(8):
            _all_cases(site, port)
    good.check()
    assert process.memory_info().rss - before < WHOLE_GROWTH_BYTES


def _all_cases(site: Site, port: int) -> None:
    site.check(hostile_web.http_cases(port))
    site.check(hostile_web.frame_cases())
    site.check(hostile_web.packet_cases())
