"""G14: viewers that do not read or give no credit cost little, harm nobody and are cut."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.support.dashboard_stack import Stack, running_stack
from tests.support.raw_viewer import RawViewer
from tests.support.servers import wait_for
from tests.support.slow_viewers import CREDITS, GoodViewer, Writer, bad_viewers, metric

PATIENCE_S = 3
GROWTH_BYTES = 50_000_000
# Nothing here depends on how fast the machine is.
AT_LATEST_S = 60


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Run a stack whose dashboard is impatient."""
    with running_stack(tmp_path, VIEWER_PATIENCE_S=str(PATIENCE_S)) as running_one:
        yield running_one


def test_g14_bad_viewers_are_cut_and_good_ones_miss_nothing(stack: Stack) -> None:
    """G14: deaf, blindly answering and creditless viewers cost little; three good ones get all."""
    (worker,) = (psutil.Process(pid) for pid in stack.dashboard.children())
    writer = Writer(stack.bridge)
    with ExitStack() as opened:
        good = [GoodViewer(stack.dashboard) for _ in range(3)]
        for one in good:
            opened.callback(one.close)

        def all_there() -> bool:
            return all(len(one.numbers) == writer.written for one in good)

        before = peak = worker.memory_info().rss
        bad = opened.enter_context(bad_viewers(stack.dashboard))
        began = time.monotonic()
        while not bad.closed():
            writer.write()
            wait_for(all_there, "the good ones have it", AT_LATEST_S)
            peak = max(peak, worker.memory_info().rss)
            assert time.monotonic() - began < AT_LATEST_S, "the bad ones are never cut"
        assert time.monotonic() - began >= PATIENCE_S
        for _ in range(10):
            writer.write()
        wait_for(all_there, "the good ones go on", AT_LATEST_S)
        for one in good:
            assert (one.numbers, one.missed) == (list(range(writer.written)), 0)
        assert bad.silent.frames() == CREDITS
        assert not bad.deaf.texts
    assert peak - before < GROWTH_BYTES
    cut = metric(stack.dashboard, "viewers_cut_total")
    assert (cut['reason="not_reading"'], cut['reason="no_credit"']) == (2, 1)


def test_p69_what_a_slow_viewer_may_hold_is_bounded_and_counted(stack: Stack) -> None:
    """P69: a deaf viewer under large messages of ever new topics: counted losses, little memory."""
    (worker,) = (psutil.Process(pid) for pid in stack.dashboard.children())
    before = worker.memory_info().rss
    peak, number, payload = before, 0, os.urandom(6000)
    began = time.monotonic()
    with RawViewer(stack.dashboard, receive_buffer=8192) as deaf:
        deaf.subscribe("big/#")
        while not deaf.closed():
            stack.bridge.feed.messages(*((f"big/{number + one}", payload) for one in range(50)))
            number += 50
            peak = max(peak, worker.memory_info().rss)
            assert time.monotonic() - began < 5 * PATIENCE_S, "it is never cut"
            time.sleep(0.02)
    assert peak - before < GROWTH_BYTES
    assert metric(stack.dashboard, "viewer_messages_dropped_total")['reason="slow"'] > 500
    wait_for(lambda: metric(stack.dashboard, "viewers") == {"": 0}, "it is forgotten")
    matched = sum(metric(stack.dashboard, "viewer_messages_matched_total").values())
    assert matched == sum(
        sum(metric(stack.dashboard, f"viewer_messages_{name}").values())
        for name in ("sent_total", "conflated_total", "dropped_total", "buffered")
    )


def test_a_client_that_asks_and_never_reads_the_answers_is_cut(stack: Stack) -> None:
    """Answers cannot be left out, so whoever lets them pile up is disconnected."""
    (worker,) = (psutil.Process(pid) for pid in stack.dashboard.children())
    before = worker.memory_info().rss
    with RawViewer(stack.dashboard, receive_buffer=4096) as viewer:
        asked = 0
        try:
            while not viewer.closed():
                viewer.subscribe("a/#/wrong" + "x" * 60, request=asked % 10)
                asked += 1
                assert asked < 200_000
                assert asked % 1000 or stack.dashboard.get("/healthz")[0] == 200
        except OSError:
            pass  # cut while it was sending
        wait_for(viewer.closed, "it is cut")
    assert worker.memory_info().rss - before < GROWTH_BYTES
    assert metric(stack.dashboard, "viewers_cut_total")
