"""G18: thousands of ways to abuse HTTP, websockets and packets; good users go on undisturbed."""

import contextlib
import gzip
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from tests.support import hostile_web
from tests.support.dashboard_server import DashboardServer, Viewer
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.good_user import GoodUser, Peak
from tests.support.hostile_web import Case, deflate_bomb, frame, opened, request
from tests.support.servers import wait_for

pytestmark = pytest.mark.xdist_group("hostile_web")

GROWTH_BYTES = 16 * 1024 * 1024
# All of the thousands together, over what an idle worker needs.
WHOLE_GROWTH_BYTES = 48 * 1024 * 1024
AT_ONCE = 24


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a dashboard of one worker, in which everybody may do the most without sign-in."""
    environ = {"REQUESTS_PER_MINUTE": "1000000"}
    with running_stack(tmp_path_factory.mktemp("hostile"), **environ) as running_one:
        yield running_one


def worker(stack: Stack) -> psutil.Process:
    (pid,) = stack.dashboard.children()
    return psutil.Process(pid)


def answer_to(port: int, case: Case) -> bytes:
    """Send a case, wait until nothing comes any more, and return the first that came."""
    with contextlib.suppress(OSError):
        if case.upgrade:
            connection = opened(port)
        else:
            connection = socket.create_connection(("127.0.0.1", port), timeout=5)
        with connection:
            connection.settimeout(0.12)
            connection.sendall(case.data)
            # Closed too early the server would never see it: what was not read resets the line.
            return _read(connection)
    return b""


def _read(connection: socket.socket) -> bytes:
    found = b""
    with contextlib.suppress(OSError):
        while part := connection.recv(65536):
            found = found or part
    return found


def check_answers(stack: Stack, cases: Iterable[Case]) -> int:
    """Send all cases, several at a time; no answer may be a failure of the server."""
    port = stack.dashboard.port
    with ThreadPoolExecutor(AT_ONCE) as pool:
        sent = list(cases)
        answers = list(pool.map(lambda case: answer_to(port, case), sent))
    bad = [
        (case.name, answer[:12])
        for case, answer in zip(sent, answers, strict=True)
        # 501 and 505 say that the request is of a kind that nobody serves.
        if re.match(rb"HTTP/1.[01] 5(?!01|05)", answer)
    ]
    assert not bad, "\n".join(map(str, bad[:30]))
    return len(sent)


def test_thousands_of_cases_harm_nobody(stack: Stack) -> None:
    """G18: at least 2,000 cases; no failure, no growth, no traceback, and good users are served."""
    port, process = stack.dashboard.port, worker(stack)
    before = process.memory_info().rss
    count = 0
    with GoodUser(stack) as good:
        for cases in (
            hostile_web.http_cases(port),
            hostile_web.body_cases(port),
            hostile_web.head_cases(port),
            hostile_web.upgrade_cases(port),
            hostile_web.frame_cases(),
            hostile_web.packet_cases(),
        ):
            count += check_answers(stack, cases)
    good.check()
    assert count >= 2000
    assert worker(stack).pid == process.pid
    assert process.memory_info().rss - before < WHOLE_GROWTH_BYTES
    metrics = stack.dashboard.request("GET", "/metrics")[1].decode()
    assert "loop_failures" not in metrics
    refused = re.search(r"packets_refused_total\{reason=\"\"\} (\d+)", metrics)
    assert refused is not None
    assert int(refused[1]) > 100
    assert "Traceback" not in stack.dashboard.output()


def test_what_is_foreign_is_refused_by_name(stack: Stack) -> None:
    """Host, Origin, Sec-Fetch-Site and compression: each with the status that says it."""
    server = stack.dashboard
    own = f"http://127.0.0.1:{server.port}"
    assert server.upgrade(Origin=own) == 101
    assert server.upgrade() == 101
    for headers in (
        {"Origin": "null"},
        {"Origin": own + ".evil"},
        {"Sec_Fetch_Site": "cross-site"},
    ):
        assert server.upgrade(**headers) == 403
    assert server.upgrade(Host="evil.example") == 403
    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
    ):
        assert server.request("POST", "/api/auth/logout", b"", headers)[0] == 403
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    body = gzip.compress(b'{"topic":"a"}')
    status, answer, _ = server.request("POST", "/api/messages/publish", body, packed)
    assert (status, b"compress" in answer) == (415, True)


def _over_websocket(port: int, data: bytes, extensions: str = "") -> None:
    with opened(port, extensions=extensions) as connection, contextlib.suppress(OSError):
        connection.sendall(data)
        connection.settimeout(3)
        while connection.recv(65536):
            pass


def _deflate(port: int) -> None:
    _over_websocket(port, deflate_bomb(200_000_000), "permessage-deflate")


def _deflate_after_join(port: int) -> None:
    _over_websocket(port, frame(1, b"40") + deflate_bomb(200_000_000), "permessage-deflate")


def _oversize(port: int) -> None:
    _over_websocket(port, frame(1, b"4" * 8_000_000))


def _fragments(port: int) -> None:
    part = frame(0, b"x" * 100_000, fin=False)
    _over_websocket(port, frame(1, b"4", fin=False) + part * 60)


def _attachments(port: int) -> None:
    head = frame(1, b"40") + frame(1, b'45999-["x",{"_placeholder":true,"num":0}]')
    _over_websocket(port, head + frame(2, b"x" * 500_000) * 8)


def _gzip_body(port: int) -> None:
    body = gzip.compress(b"[" * 200_000_000)
    headers = {"Content-Encoding": "gzip", "Content-Length": str(len(body))}
    _over_http(port, request(port, "POST", "/api/auth/login", headers, body))


def _large_body(port: int) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": "100000000"}
    _over_http(port, request(port, "POST", "/api/auth/login", headers, b"x" * 20_000_000))


def _chunked_body(port: int) -> None:
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    _over_http(port, request(port, "POST", "/api/auth/login", headers, chunk * 20))


def _headers(port: int) -> None:
    headers = {f"X-{number}": "x" * 8000 for number in range(2000)}
    _over_http(port, request(port, headers=headers))


def _over_http(port: int, data: bytes) -> None:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
        contextlib.suppress(OSError),
    ):
        connection.sendall(data)
        connection.settimeout(2)
        connection.recv(4096)


BOMBS: tuple[Callable[[int], None], ...] = (
    _deflate,
    _deflate_after_join,
    _oversize,
    _fragments,
    _attachments,
    _gzip_body,
    _large_body,
    _chunked_body,
    _headers,
)


@pytest.mark.parametrize("bomb", BOMBS)
def test_one_connection_costs_little_memory(stack: Stack, bomb: Callable[[int], None]) -> None:
    """G18: whatever one connection sends, the worker grows by less than 16 MB."""
    with Peak(worker(stack)) as peak:
        bomb(stack.dashboard.port)
    assert peak.growth < GROWTH_BYTES
    assert stack.dashboard.get("/healthz")[0] == 200


def slow_connections(stack: Stack, count: int, seconds: float) -> None:
    """Open many connections that send a byte now and then, and see that good users are served."""
    port = stack.dashboard.port
    head = request(port, headers={"X-Slow": "x"})[:-2]
    post = request(
        port,
        "POST",
        "/api/auth/login",
        {"Content-Length": "9999", "Content-Type": "application/json"},
    )
    with contextlib.ExitStack() as held, GoodUser(stack) as good:
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
        gone = sum(_closed(one) for number, one in enumerate(slow) if number % 4 != 1)
        assert gone == sum(number % 4 != 1 for number in range(count))
    good.check()


def _closed(connection: socket.socket) -> bool:
    return connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != 1


def test_500_slow_connections_hold_nobody_up(stack: Stack) -> None:
    """G18: slow heads and bodies keep no place for long, and nobody waits for them."""
    slow_connections(stack, 500, 7)


def test_who_takes_too_long_keeps_no_place(stack: Stack) -> None:
    """A body has 20 s as a whole, however regularly its bytes come; an upgrade 10 s to join."""
    port = stack.dashboard.port
    idle = [opened(port) for _ in range(20)]
    started = time.monotonic()
    headers = {"Content-Type": "application/json", "Content-Length": "9999"}
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request(port, "POST", "/api/commands", headers, b'{"topic":"'))
        connection.settimeout(0.5)
        answer, joined_at = b"", 0.0
        while not answer and time.monotonic() - started < 26:
            if not joined_at and all(_closed(one) for one in idle):
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
def test_what_no_client_of_ours_sends_ends_the_connection(stack: Stack, data: bytes) -> None:
    """Binary packets, namespaces, acknowledgements, broken events: nothing is kept for them."""
    with opened(stack.dashboard.port) as connection:
        connection.sendall(frame(1, b"40") + data)
        wait_for(lambda: _closed(connection), "it is cut", 3)


@pytest.mark.parametrize("size", [b"-1", b"x", b"", b"0x2", b"2 x", b"F" * 17, b"2\n", b"\xb2"])
def test_chunks_that_are_none_are_the_clients_mistake(stack: Stack, size: bytes) -> None:
    """A chunked body with a broken size, first or later, is answered with 4xx or not at all."""
    port = stack.dashboard.port
    for chunks in (size + b"\r\n{}\r\n0\r\n\r\n", b"2\r\n{}\r\n" + size + b"\r\n0\r\n\r\n"):
        headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
        case = Case("chunks", request(port, "POST", "/api/messages/publish", headers, chunks))
        answer = answer_to(port, case)
        assert answer[:10] in {b"HTTP/1.1 4", b""}, answer[:200]
    assert "Traceback" not in stack.dashboard.output()


def test_who_does_not_answer_a_close_keeps_no_place(stack: Stack) -> None:
    """After a client has said that it leaves, the connection ends, whatever the client does."""
    with opened(stack.dashboard.port) as connection:
        connection.sendall(frame(1, b"40") + frame(1, b"1"))
        wait_for(lambda: _closed(connection), "it is shut down", 5)


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "REMOTE_USER"])
def test_no_header_moves_a_request(stack: Stack, name: str) -> None:
    """What a request asks for, and for whom, stands in no header that anybody may send."""
    for value in ("/x", "/api", "/healthz"):
        answer = stack.dashboard.request("GET", "/api/broker/version", headers={name: value})
        assert (answer[0], b"contract" in answer[1]) == (200, True)


def test_asking_without_reading_ends(stack: Stack) -> None:
    """Requests whose answers nobody reads pile up only so far."""
    with Peak(worker(stack)) as peak, opened(stack.dashboard.port) as connection:
        connection.settimeout(10)
        connection.sendall(frame(1, b"40"))
        with contextlib.suppress(OSError):
            for _ in range(400):
                connection.sendall(frame(1, b"40") * 500)
        wait_for(lambda: _closed(connection), "it is cut", 30)
    assert peak.growth < GROWTH_BYTES


def test_limits_on_requests_and_on_sockets(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Past the limit requests get 429, upgrades too, probes never; a socket's requests have one."""
    folder = tmp_path_factory.mktemp("limits")
    dashboard = DashboardServer(folder, stack.redis.port, REQUESTS_PER_MINUTE="30")
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
    viewer = Viewer(stack.dashboard)
    replies = [viewer.subscribe("a/#") for _ in range(120)]
    assert replies[0]["ok"]
    assert "too many requests" in replies[-1]["message"]
    viewer.close()


@pytest.mark.chaos
def test_slow_connections_for_long(stack: Stack) -> None:
    """The same as above with 2,000 connections for a minute, and all cases ten times."""
    slow_connections(stack, 2000, 60)
    port, process = stack.dashboard.port, worker(stack)
    check_answers(stack, hostile_web.frame_cases())
    before = process.memory_info().rss
    with GoodUser(stack) as good:
        for _ in range(10):
            check_answers(stack, hostile_web.http_cases(port))
            check_answers(stack, hostile_web.frame_cases())
            check_answers(stack, hostile_web.packet_cases())
    good.check()
    assert process.memory_info().rss - before < WHOLE_GROWTH_BYTES
