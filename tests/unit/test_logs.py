"""The log says everything once, and how often again."""

import json
import subprocess
import sys

from mqtt_dashboard.log_repeats import BURST, MAX_EVENTS, SPACING_S, Event, Repeats

FLOOD = """
import logging
from mqtt_dashboard import config, logs
logs.configure(config.load(config.LogSettings))
log, foreign = logs.get("ours"), logging.getLogger("a.library")
for number in range(500):
    log.warning("mqtt.too_large", bytes=number)
    foreign.warning("lost %d of them", number)
    foreign.error(f"odd {number % 2}")
log.info("other")
try:
    raise ValueError("no")
except ValueError:
    for _ in range(20):
        log.exception("failed")
"""


def lines(form: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", FLOOD],
        env={"LOG_FORMAT": form},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stderr.splitlines()


def test_p13_repeated_lines_are_left_out_and_counted() -> None:
    """P13: of 500 lines of an event a few are written, and the end says how many were not."""
    entries = [json.loads(line) for line in lines("json")]
    for name, level, every in (
        ("mqtt.too_large", "warning", 500),
        ("failed", "error", 20),
    ):
        told = [one for one in entries if one["event"] == name]
        assert len(told) == BURST + 1
        assert told[-1]["repeated"] == every - BURST
        assert {one["level"] for one in told} == {level}
        assert not any("repeated" in one for one in told[:-1])
    assert [one["event"] for one in entries].count("other") == 1
    library = [one for one in entries if one["logger"] == "a.library"]
    assert sum("lost" in one["event"] for one in library) == BURST + 1
    assert sum("odd 1" in one["event"] for one in library) == BURST + 1
    assert sum(one.get("repeated", 0) for one in library) == 1000 - 3 * BURST


def test_a_terminal_sees_it_too() -> None:
    """P13: the text form counts as the JSON form does."""
    told = [line for line in lines("text") if "mqtt.too_large" in line]
    assert len(told) == BURST + 1
    assert f"repeated={500 - BURST}" in told[-1]


class Told:
    """A decision about lines by a clock of its own, and what it told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.told: list[tuple[str, int]] = []
        self.repeats = Repeats(lambda event, n: self.told.append((event.name, n)), lambda: self.now)

    def ask(self, name: str = "a", times: int = 1) -> list[int | None]:
        return [self.repeats.ask(Event("l", "warning", name)) for _ in range(times)]


def test_a_steady_flood_is_one_line_now_and_then() -> None:
    """Each spacing one line comes through with the number before it; after silence all do again."""
    told = Told()
    assert told.ask(times=BURST) == [0] * BURST
    assert told.ask(times=50) == [None] * 50
    told.now += SPACING_S
    assert told.ask(times=3) == [50, None, None]
    told.now += SPACING_S
    assert told.ask(times=2) == [2, None]
    told.now += SPACING_S * BURST
    assert told.ask(times=BURST + 1) == [1, *[0] * (BURST - 1), None]


def test_the_count_is_said_without_a_further_line() -> None:
    """What was left out is told at the end, too, once, and that line takes its place."""
    told = Told()
    told.ask(times=BURST + 5)
    told.repeats.tell_all()
    told.repeats.tell_all()
    assert told.told == [("a", 5)]
    told.now += SPACING_S
    assert told.ask() == [None]


def test_names_strangers_choose_take_no_memory() -> None:
    """The events remembered are bounded; of one that is forgotten the count is told."""
    told = Told()
    told.ask("first", times=BURST + 2)
    for number in range(MAX_EVENTS + 5):
        told.ask(f"name {number}")
    assert told.told == [("first", 2)]
    assert len(told.repeats._states) == MAX_EVENTS
