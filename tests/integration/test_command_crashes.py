"""The bridge killed at named points of a command's way; the whole table is run by make chaos."""

from collections.abc import Iterator

import pytest

from tests.support.crash_table import CrashLab, Point, crash_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashLab]:
    """Run everything but the bridge once for the module."""
    with crash_lab(tmp_path_factory.mktemp("crashes")) as built:
        yield built


@pytest.mark.parametrize(
    "points",
    [
        [("taken", 1)],
        [("published", 7)],
        [("before-finish", 1)],
        [("pubrec", 1), ("before-received", 1)],
        [("after-received", 1), ("before-opened", 1)],
    ],
    ids=str,
)
def test_every_mode_keeps_its_promise(lab: CrashLab, points: list[Point]) -> None:
    """P57: one result each; exactly-once arrives once, at-most-once never twice."""
    lab.run(*points)


def test_a_lost_session_is_not_taken_for_a_kept_one(lab: CrashLab) -> None:
    """P57: the broker forgot the exchange: indeterminate, not sent again, though it would work."""
    states = lab.run(("released", 1), ("after-lost", 1), lose_session=True)
    assert "indeterminate" in states["once"]
