"""Parts that end by themselves are started again, after a pause that grows."""

import signal
from collections.abc import Callable
from dataclasses import dataclass

from mqtt_dashboard.clock import Clock
from mqtt_dashboard.embedded.children import Child, Supervisor, describe_end

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 60.0
# Who ran this long is taken for sound again.
SOUND_AFTER_S = 60.0
LAST_LINES = 6


@dataclass
class _Fate:
    """How often a part ended lately, and when it is started again."""

    ends: int = 0
    started: float = 0.0
    due: float | None = None


class Restarts:
    """Watches the supervisor's children; one that ends is named, and started again later."""

    def __init__(self, supervisor: Supervisor, say: Callable[[str], None], clock: Clock) -> None:
        self._supervisor = supervisor
        self._say = say
        self._clock = clock
        self._fates: dict[str, _Fate] = {}

    def tick(self) -> None:
        """Look at every child once; start those whose pause is over."""
        now = self._clock.monotonic()
        for child in self._supervisor.children:
            fate = self._fates.setdefault(child.name, _Fate(started=now))
            if child.running():
                if fate.ends and now - fate.started > SOUND_AFTER_S:
                    fate.ends = 0
            elif fate.due is None:
                self._plan(child, fate, now)
            elif now >= fate.due:
                fate.due, fate.started = None, now
                child.start()
                self._say(f"Started again: {child.name}")

    def _plan(self, child: Child, fate: _Fate, now: float) -> None:
        child.send(signal.SIGKILL)  # what it left behind would hold its port
        pause = min(FIRST_PAUSE_S * 2**fate.ends, LONGEST_PAUSE_S)
        fate.ends += 1
        fate.due = now + pause
        lines = "".join(f"\n    {line}" for line in child.last_lines(LAST_LINES))
        self._say(
            f"{describe_end(child)}; starting it again in {pause:.0f} s. "
            f"Its last words:{lines or ' none'}"
        )
