"""Nobody takes so much of a worker that others are not served."""

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from mqtt_dashboard.dashboard.auth.crowd import SOCKETS_EACH
from mqtt_dashboard.dashboard.sockets import FILTERS_EACH
from tests.support.dashboard_stack import Stack, running_stack
from tests.support.raw_viewer import RawViewer
from tests.support.servers import wait_for
from tests.support.visitors import PASSWORD, Visitor, add_user, make_token, store_of

AT_ONCE, ROUNDS = 300, 3


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a dashboard that asks for sign-in."""
    settings = {"ADMIN_PASSWORD": PASSWORD, "REQUESTS_PER_MINUTE": "1000000"}
    folder = tmp_path_factory.mktemp("shares")
    with running_stack(folder, AUTH_MODE="required", **settings) as built:
        wait_for(lambda: store_of(built.redis.port).has_users(), "the first user")
        add_user(built.redis.port, "operator", "operator")
        built.bridge.feed.topics(("hall/lamp", b"1"))
        yield built


def flood(stack: Stack, path: str, header: str) -> Counter[int]:
    """Send many requests at the same moment, some times over; count the answers by status."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n\r\n".encode()
    statuses: Counter[int] = Counter()
    for _ in range(ROUNDS):
        with contextlib.ExitStack() as opened:
            links = [
                opened.enter_context(
                    socket.create_connection(("127.0.0.1", stack.dashboard.port), timeout=30)
                )
                for _ in range(AT_ONCE)
            ]
            for link in links:
                link.sendall(request)
            statuses.update(int(link.recv(64).split()[1]) for link in links)
    return statuses


@pytest.mark.parametrize("who", ["viewer", "stranger"])
def test_a_burst_of_one_is_not_paid_by_others(stack: Stack, who: str) -> None:
    """P58: 300 requests at once, three times, and an operator, the probes and the loops go on."""
    if who == "viewer":
        path, header = (
            "/api/topics?limit=1000",
            f"Authorization: Bearer {make_token(stack.redis.port, 'viewer')}",
        )
    else:
        path, header = "/api/topics", f"Cookie: mqtt-dashboard-{stack.dashboard.port}={'x' * 43}"
    operator = Visitor(stack.dashboard).login("operator")
    answers: Counter[int] = Counter()
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            answers[operator.get("/api/topics?limit=1")[0]] += 1
            answers[stack.dashboard.get("/readyz")[0]] += 1

    worker = threading.Thread(target=work)
    worker.start()
    try:
        statuses = flood(stack, path, header)
    finally:
        stop.set()
        worker.join()
    assert set(answers) == {200}, answers
    assert sum(statuses.values()) == AT_ONCE * ROUNDS
    # Who is in a hurry may be told to wait, but Redis is never said to be away.
    assert set(statuses) <= ({200, 429} if who == "viewer" else {401, 429}), statuses
    metrics = stack.dashboard.request("GET", "/metrics", headers=operator.headers)[1].decode()
    assert 'loop_failures_total{loop="sign-in"}' not in metrics


def test_one_user_does_not_take_all_live_sockets(stack: Stack) -> None:
    """P69: past its share a socket is refused; others come in, and a place given back counts."""
    token = make_token(stack.redis.port, "viewer")
    with contextlib.ExitStack() as opened:
        viewers = [
            opened.enter_context(RawViewer(stack.dashboard, token=token)).read()
            for _ in range(SOCKETS_EACH)
        ]
        for viewer in viewers:
            viewer.subscribe("hall/#", 1)
        wait_for(lambda: all(_acknowledged(one, "") for one in viewers), "all are in")
        refused = opened.enter_context(RawViewer(stack.dashboard, token=token)).read()
        wait_for(lambda: _refused(refused), "one more is not")
        operator = Visitor(stack.dashboard).login("operator")
        operator.connect()
        operator.close()

    def is_let_in() -> bool:
        with RawViewer(stack.dashboard, token=token) as again:
            again.read().subscribe("hall/#", 1)
            wait_for(lambda: _acknowledged(again, "") or _refused(again), "an answer")
            return not _refused(again)

    wait_for(is_let_in, "there is room again")


def test_one_user_does_not_take_all_filters(stack: Stack) -> None:
    """P49: the filters of a user's sockets are counted together, and given back with them."""
    token = make_token(stack.redis.port, "viewer")
    with contextlib.ExitStack() as opened:
        for number in range(FILTERS_EACH // 20):
            one = opened.enter_context(RawViewer(stack.dashboard, token=token)).read()
            for filter_number in range(20):
                one.subscribe(f"f/{number}/{filter_number}", 1)
            wait_for(lambda one=one: _acknowledged(one, '"ok":true') == 20, "all are watched")  # type: ignore[misc]
        more = opened.enter_context(RawViewer(stack.dashboard, token=token)).read()
        more.subscribe("f/more", 1)
        wait_for(lambda: _acknowledged(more, "filters already") == 1, "one more is refused")
    with RawViewer(stack.dashboard, token=token) as again:
        again.read()
        asked = 0

        def watched() -> bool:
            nonlocal asked
            # The sockets before may still be closing; requests are counted, so not too often.
            if _acknowledged(again, "") == asked:
                asked += 1
                again.subscribe("f/more", 1)
                time.sleep(0.2)
            return _acknowledged(again, '"ok":true') > 0

        wait_for(watched, "there is room again")


def _refused(viewer: RawViewer) -> bool:
    return any(text.startswith("41") for text in list(viewer.texts))


def _acknowledged(viewer: RawViewer, part: str) -> int:
    return sum(text.startswith("43") and part in text for text in list(viewer.texts))
