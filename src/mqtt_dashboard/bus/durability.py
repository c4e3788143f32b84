"""Whether Redis keeps on disk what it accepted, asked of Redis itself."""

from dataclasses import dataclass
from typing import Any, Final

from mqtt_dashboard.bus.connection import Client, plain_errors
from mqtt_dashboard.errors import BusRefusedError


@dataclass(frozen=True, slots=True)
class Durability:
    """Whether Redis keeps what it accepted on disk; ``durable`` None: it does not say."""

    durable: bool | None
    reason: str


NOT_ASKED: Final = Durability(None, "Redis was not asked yet")


def ask(client: Client, address: str) -> Durability:
    """Ask Redis what it keeps; raise `BusError` when it does not answer."""
    try:
        with plain_errors(address):
            info: Any = client.info("persistence")
    except BusRefusedError:
        return Durability(None, "Redis does not tell whether it has an append-only file")
    if not info.get("aof_enabled"):
        return Durability(
            False, "Redis keeps no append-only file: a restart of it loses accepted commands"
        )
    if info.get("aof_last_write_status") == "err":
        return Durability(False, "Redis cannot write its append-only file")
    return _by_policy(_policy(client, address))


def _policy(client: Client, address: str) -> str | None:
    try:
        with plain_errors(address):
            found: Any = client.config_get("appendfsync")
    except BusRefusedError:
        return None
    return str(found.get("appendfsync")) if found else None


def _by_policy(policy: str | None) -> Durability:
    match policy:
        case "always":
            return Durability(True, "on disk before it is accepted (appendfsync always)")
        case "everysec":
            reason = "kept when Redis dies; a power loss may take the last second"
            return Durability(True, f"{reason} (appendfsync everysec)")
        case "no":
            reason = "kept when Redis dies; a power loss may take the last half minute or more"
            return Durability(True, f"{reason} (appendfsync no)")
        case _:
            return Durability(True, "kept when Redis dies; it does not tell its appendfsync")
