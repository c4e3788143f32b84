"""Durable commands as the bridge sees them: read by consumer group, journalled, settled, fenced."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Literal

from mqtt_dashboard.bus import bridge_order_scripts, connection
from mqtt_dashboard.bus.fence import fencing_errors
from mqtt_dashboard.bus.order_steps import GROUP, ending_arguments, ending_keys
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.orders import BROKEN_RECORD, RIGHTS_WITHDRAWN, CommandResult
from mqtt_dashboard.errors import BusRefusedError

BEGIN: Final = "0-0"

Phase = Literal["", "sent", "received"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the command stream; ``body`` is None when it cannot be one."""

    position: str
    command_id: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Taken:
    """What the record said: ``left_s`` are the seconds to its deadline, by Redis' clock."""

    phase: str
    epoch: int
    packet_id: int
    left_s: float


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the journal.

    ``finish``: record the result, with ``burn`` a packet id that must rest. ``received``: the
    broker has the message (QoS 2). ``drop``: take an entry out of the stream that means nothing.
    ``lost``: the broker has forgotten the session. ``opened``: the connection whose mark is in
    ``command_id`` was examined.
    """

    kind: Literal["finish", "received", "drop", "lost", "opened"]
    command_id: str = ""
    position: str = ""
    result: CommandResult | None = None
    burn: int = 0


class BridgeOrders:
    """The bridge's side; safe to use from several threads."""

    def __init__(self, client: connection.Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._channels = channels
        self._address = address
        self._take = client.register_script(bridge_order_scripts.TAKE)
        self._settle = client.register_script(bridge_order_scripts.SETTLE)
        self._opening = client.register_script(bridge_order_scripts.OPENING)

    def prepare(self) -> None:
        """Make the stream and its group, if they are not there."""
        try:
            with self._errors():
                self._client.xgroup_create(self._channels.orders, GROUP, id=BEGIN, mkstream=True)
        except BusRefusedError as error:
            if "BUSYGROUP" not in error.reason:
                raise

    def adopt(self, consumer: str, cursor: str, count: int) -> tuple[str, list[Entry]]:
        """Take over what others, or this one before an outage, left; return the next cursor."""
        with self._errors():
            answer: Any = self._client.xautoclaim(
                self._channels.orders,
                GROUP,
                consumer,
                min_idle_time=0,
                start_id=cursor,
                count=count,
            )
        return str(answer[0], "ascii"), [_entry(*one) for one in answer[1]]

    def forget_others(self, consumer: str) -> None:
        """Remove the names of consumers that have nothing left."""
        names = self._channels
        with self._errors():
            known: Any = self._client.xinfo_consumers(names.orders, GROUP)
            for one in known:
                if one["name"] != consumer.encode() and not one["pending"]:
                    self._client.xgroup_delconsumer(names.orders, GROUP, one["name"])

    def read(self, consumer: str, count: int, block_s: float) -> list[Entry]:
        """Wait for new commands, at most ``block_s`` seconds."""
        with self._errors():
            answer: Any = self._client.xreadgroup(
                GROUP,
                consumer,
                {self._channels.orders: ">"},
                count=count,
                block=max(1, round(block_s * 1000)),
            )
        return [_entry(*one) for one in answer[0][1]] if answer else []

    def take(
        self, epoch: int, commands: Sequence[tuple[str, str, int]], *, commit: bool
    ) -> list[Taken | None]:
        """Look at records (id, position, packet id); None for those that have their result.

        Those get it here whose sender lost its rights meanwhile, or whose record is broken. With
        ``commit`` those that have time left are journalled as sent.
        """
        names = self._channels
        arguments: list[str | int] = [epoch, *ending_arguments(names)]
        arguments += [int(commit), RIGHTS_WITHDRAWN, BROKEN_RECORD]
        for command_id, position, packet_id in commands:
            arguments += [command_id, position, packet_id or ""]
        keys = [names.bridge_epoch, *ending_keys(names), names.orders_withdrawn]
        with self._errors():
            answers: Any = self._take(keys=keys, args=arguments)
        return [_taken(answer) for answer in answers]

    def settle(self, epoch: int, steps: Sequence[Step]) -> None:
        """Write steps of the journal, in order, in one round trip."""
        names = self._channels
        arguments: list[str | int | bytes] = [epoch, *ending_arguments(names)]
        for step in steps:
            result = step.result
            code = None if result is None else result.code
            arguments += [
                step.kind,
                step.command_id,
                step.position,
                "" if result is None else result.state,
                "" if result is None else result.reason,
                "" if code is None else code,
                b"" if result is None else codec.encode(result),
                step.burn or "",
            ]
        keys = [
            names.bridge_epoch,
            *ending_keys(names),
            names.order_burnt,
            names.order_opening,
        ]
        with self._errors():
            self._settle(keys=keys, args=arguments)

    def opening(self, epoch: int, mark: str) -> str | None:
        """Note that a connection is about to be made; return the mark of one not examined yet."""
        names = self._channels
        with self._errors():
            found: Any = self._opening(
                keys=[names.bridge_epoch, names.order_opening], args=[epoch, mark]
            )
        return found.decode(errors="replace") if found else None

    def burnt(self) -> set[int]:
        """Return the packet ids that must rest."""
        with self._errors():
            members: Any = self._client.smembers(self._channels.order_burnt)
        return {int(member) for member in members if member.isdigit()}

    def _errors(self) -> AbstractContextManager[None]:
        return fencing_errors(self._address)


def _entry(position: bytes, fields: dict[bytes, bytes] | None) -> Entry:
    found = fields or {}
    command_id = found.get(b"i", b"").decode(errors="replace")
    return Entry(position.decode(), command_id, found.get(b"b"))


def _taken(answer: list[Any]) -> Taken | None:
    if not answer:
        return None
    phase, epoch, packet_id, left = answer
    return Taken(phase.decode(), int(epoch or 0), int(packet_id or 0), int(left) / 1000)
