"""Per-second rates from counters that restart at 0 when their broker does (P26)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# A counter without news for this long has no rate that could be shown.
FORGET_SECONDS: Final = 60.0
_CLOCK_FIELD: Final = "uptime"


@dataclass
class _Counter:
    value: int
    time: float
    rate: float | None = None


class CounterRates:
    """Remembers the last value of each counter; a fall is a restart and gives no rate."""

    def __init__(self) -> None:
        self._counters: dict[str, _Counter] = {}

    def update(
        self,
        counters: Mapping[str, int | None],
        now: float,
        ages: Mapping[str, float] | None = None,
    ) -> dict[str, float | None]:
        """Return the rate of each counter, None while it is unknown.

        Pass ``ages`` as `SysTopics.ages` gives them when the broker tells values more slowly than
        this is called: the rate is then taken between the broker's own moments and kept until the
        next, instead of jumping between zero and the double.
        """
        return {
            name: None if value is None else self._rate(name, value, now, ages or {})
            for name, value in counters.items()
        }

    def _rate(self, name: str, value: int, now: float, ages: Mapping[str, float]) -> float | None:
        time = now
        if name in ages:
            # mosquitto repeats no value that did not change; its uptime always does.
            time = now - min(ages[name], ages.get(_CLOCK_FIELD, ages[name]))
        last = self._counters.get(name)
        if last is None or value < last.value or now - last.time > FORGET_SECONDS:
            self._counters[name] = _Counter(value, time)
            return None
        # Values of one interval arrive within moments of each other.
        if time - last.time >= 0.5:
            rate = (value - last.value) / (time - last.time)
            self._counters[name] = _Counter(value, time, rate)
            return rate
        return last.rate
