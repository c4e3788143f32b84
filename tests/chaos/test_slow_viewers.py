"""G14 with figures: good viewers beside bad ones, compared with the same ones alone in one run."""

import statistics
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.support.dashboard_stack import running_stack
from tests.support.servers import wait_for
from tests.support.slow_viewers import Figures, GoodViewer, Writer, bad_viewers, metric

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

ROUNDS = 4
CALM_S = 10.0
PATIENCE_S = 20
GROWTH_BYTES = 50_000_000


def test_g14_good_viewers_keep_their_rate_beside_bad_ones(tmp_path: Path) -> None:
    """G14: three bad ones until they are cut, again and again, cost nobody frames or time.

    What the machine itself makes of the delay is measured in the same run: the good ones are alone
    before each round.
    """
    alone: list[Figures] = []
    beside: list[Figures] = []
    with running_stack(tmp_path) as stack, ExitStack() as opened:
        (worker,) = (psutil.Process(pid) for pid in stack.dashboard.children())
        good = [GoodViewer(stack.dashboard) for _ in range(3)]
        for one in good:
            opened.callback(one.close)
        opened.enter_context(Writer(stack.bridge).steadily())
        wait_for(lambda: all(one.count > 20 for one in good), "the good ones are warm", 60)
        before = peak = worker.memory_info().rss
        for _ in range(ROUNDS):
            for one in good:
                one.forget()
            time.sleep(CALM_S)
            alone += [one.take_figures() for one in good]
            with bad_viewers(stack.dashboard) as bad:
                wait_for(bad.closed, "the bad ones are cut", PATIENCE_S + 60)
                beside += [one.take_figures() for one in good]
                peak = max(peak, worker.memory_info().rss)
        cut = metric(stack.dashboard, "viewers_cut_total")
    assert peak - before < GROWTH_BYTES
    assert (cut['reason="not_reading"'], cut['reason="no_credit"']) == (2 * ROUNDS, ROUNDS)
    assert sum(one.missed for one in good) == 0
    calm, disturbed = ([one.p99_s for one in figures] for figures in (alone, beside))
    # Within a tenth of what it was at times when nobody disturbed.
    bound = 1.1 * max(calm)
    assert statistics.median(disturbed) <= bound, f"alone {calm}, beside {disturbed}"
    rates = [statistics.median(one.frames_per_s for one in found) for found in (alone, beside)]
    assert rates[1] >= 0.9 * rates[0]
