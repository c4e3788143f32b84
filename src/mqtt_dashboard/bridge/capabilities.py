"""What the broker at hand offers: what its family rules out, and what it has shown so far.

A capability becomes true when the broker has shown it, false when its family never has it or when
it should have shown it by now, and is unknown in between.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mqtt_dashboard.bridge.families import Family
from mqtt_dashboard.contract.messages import GrantedFilter
from mqtt_dashboard.contract.offers import Capabilities

# Brokers publish their statistics every 10 (mosquitto), 20 (VerneMQ) or 60 s (EMQX, HiveMQ).
PATIENCE_S: Final = 90.0
NAMES: Final = (
    "statistics",
    "load_averages",
    "retained_count",
    "client_names",
    "client_addresses",
    "client_subscriptions",
    "disconnect_reasons",
    "kick",
    "dynamic_security",
)
_OF_CLIENTS: Final = (
    "client_names",
    "client_addresses",
    "client_subscriptions",
    "disconnect_reasons",
)
_BEFORE_US: Final = "clients that connected before the bridge stay unknown until they connect again"
# The broker does tell of its clients; there was only nothing to tell.
_BY_EVENTS: Final = {
    "client_addresses": "no client has connected since the bridge did; the next one shows it",
    "disconnect_reasons": "no client has left since the bridge connected; the next one shows it",
}


@dataclass(frozen=True)
class Shown:
    """What the broker has shown in the present session, which is ``age_s`` old.

    ``fields`` are its statistics, ``clients`` the client capabilities proven by a message.
    ``silent``: clients connected and nothing named them. ``dynamic_security`` and its hint are the
    outcome of asking. ``problems`` are hints that say more than the family's.
    """

    fields: frozenset[str]
    clients: frozenset[str]
    age_s: float
    silent: bool = False
    refused: str | None = None
    dynamic_security: bool | None = None
    problems: tuple[tuple[str, str], ...] = ()


def refusal(granted: Iterable[GrantedFilter]) -> str | None:
    """Return why the broker refuses its own topics, or None."""
    for one in granted:
        if one.filter.startswith("$SYS") and one.error is not None:
            return one.error
    return None


def judge(family: Family, shown: Shown) -> Capabilities:
    """Return the capabilities with a hint for each that is not there."""
    late = shown.age_s > PATIENCE_S
    any_field = bool(shown.fields)
    found: dict[str, bool | None] = {
        "statistics": _seen(any_field, late or shown.refused is not None),
        "load_averages": _seen(any(one.startswith("load_") for one in shown.fields), late),
        "retained_count": _seen("retained" in shown.fields, late),
        "client_names": _seen("client_names" in shown.clients, shown.silent),
        "client_addresses": _seen("client_addresses" in shown.clients, shown.silent),
        "client_subscriptions": _seen("client_subscriptions" in shown.clients, late=False),
        "disconnect_reasons": _seen("disconnect_reasons" in shown.clients, shown.silent),
        "kick": None,
        "dynamic_security": shown.dynamic_security,
    }
    for name in family.never:
        found[name] = bool(found[name])
    hints = {
        name: _patient(name, text, shown) if found[name] is None else text
        for name, text in family.hints.items()
        if not found[name]
    }
    if shown.refused is not None and not found["statistics"]:
        hints["statistics"] = f"the broker refuses $SYS/#: {shown.refused}"
    hints |= {name: text for name, text in shown.problems if not found.get(name)}
    return Capabilities(broker=family.label, clients_from=family.clients_from, hints=hints, **found)


def naming_hint(family: Family, shown: frozenset[str], *, silent: bool) -> str | None:
    """Return why names of clients may be missing, without taking patience for a fault."""
    hint = family.hints.get("client_names")
    if "client_names" in shown:
        return _BEFORE_US
    if hint is None or silent or "client_names" in family.never:
        return hint
    return _not_yet(hint)


def _patient(name: str, hint: str, shown: Shown) -> str:
    """Return the hint for what depends on clients that come and go, while none did."""
    if name in _BY_EVENTS and "client_names" in shown.clients:
        return _BY_EVENTS[name]
    return _not_yet(hint) if name in _OF_CLIENTS else hint


def _not_yet(hint: str) -> str:
    return f"nothing was seen yet; if that stays so: {hint}"


def _seen(seen: bool, late: bool) -> bool | None:
    if seen:
        return True
    return False if late else None
