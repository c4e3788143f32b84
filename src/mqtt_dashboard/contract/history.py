"""How the broker fared: statistics over the last hour and day, and the story of the connection."""

from typing import Literal

from msgspec import Struct

from mqtt_dashboard.contract.messages import BrokerStats, Rates, StatsUpdate, StatusChange

Span = Literal["hour", "day"]

_NUMBERS = tuple(name for name in BrokerStats.__struct_fields__ if name != "version")


class StatsPoint(Struct, array_like=True, frozen=True):
    """One measurement: Unix seconds, and every number known at that time by its name.

    Names are the fields of `BrokerStats`, and those of `Rates` with ``rate_`` before them.
    """

    timestamp: float
    values: dict[str, float]


class StatsHistoryReply(Struct, kw_only=True, frozen=True):
    """``GET /api/broker/stats/history``: columns of equal length.

    ``times`` are Unix seconds, oldest first, about ``step_s`` apart. Unknown is ``null``; where
    nothing was measured a row of ``null`` stands, so that a line drawn through it breaks.
    """

    span: Span
    step_s: float
    times: list[float]
    series: dict[str, list[float | None]]


class StoryReply(Struct, kw_only=True, frozen=True):
    """``GET /api/broker/story``: changes of the bridge's MQTT session, newest first.

    ``more`` tells that there are older ones than these.
    """

    changes: list[StatusChange]
    more: bool


def point(update: StatsUpdate) -> StatsPoint:
    """Return what of a statistics document is worth keeping."""
    values: dict[str, float] = {}
    for name in _NUMBERS:
        value = getattr(update.data, name)
        if value is not None:
            values[name] = value
    for name in Rates.__struct_fields__:
        value = getattr(update.rates, name)
        if value is not None:
            values[f"rate_{name}"] = round(value, 3)
    return StatsPoint(round(update.timestamp, 3), values)


def names() -> frozenset[str]:
    """Return every name a `StatsPoint` may have."""
    return frozenset(_NUMBERS) | {f"rate_{name}" for name in Rates.__struct_fields__}
