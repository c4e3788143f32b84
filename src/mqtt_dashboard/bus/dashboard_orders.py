"""Durable commands as the dashboard sees them: accept, end what is overdue, follow results."""

from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from mqtt_dashboard.bus import durability as on_disk
from mqtt_dashboard.bus import order_scripts
from mqtt_dashboard.bus.connection import Client, plain_errors
from mqtt_dashboard.bus.durability import Durability
from mqtt_dashboard.bus.order_records import OrderRecords
from mqtt_dashboard.bus.order_steps import ending_arguments, ending_keys
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.channels import RedisChannels
from mqtt_dashboard.contract.orders import (
    BROKEN_RECORD,
    NEVER_TOLD,
    NOT_TAKEN,
    RIGHTS_WITHDRAWN,
    CommandResult,
    Order,
    OrderSummary,
    fingerprint,
    key_digest,
    told_topic,
)
from mqtt_dashboard.errors import ContractError

MAX_RECORDS: Final = 50_000
MAX_KEYED_OF_ONE: Final = 10_000
# What a record takes in Redis beside its summary, about.
RECORD_BYTES: Final = 1024
EXPIRY_GRACE_MS: Final = 250
# A bridge that lives tells sooner; it may finish what the broker has up to an hour late.
SENT_GRACE_MS: Final = 60_000
RECEIVED_GRACE_MS: Final = 3_660_000
PER_SWEEP: Final = 200
PER_READ: Final = 200
BEGIN: Final = "0-0"

Verdict = Literal["new", "known", "differs", "full", "rights"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait, how long records are kept (seconds), and how many bytes of them."""

    commands: int
    bytes: int
    ttl_s: int
    record_bytes: int = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends a command.

    ``name`` is by what its commands are found when its rights are withdrawn, "" for nobody in
    particular. ``rights`` is the version of rights it was judged by, None when nobody signs in.
    """

    name: str = ""
    rights: int | None = None


ANYBODY: Final = Sender()


@dataclass(frozen=True, slots=True)
class Accepted:
    """What Redis said: ``told`` is the command's id, or what is full."""

    verdict: Verdict
    told: str


@dataclass(frozen=True, slots=True)
class Swept:
    """How many commands ended, and whether there is more to look at."""

    ended: int
    more: bool


@dataclass(frozen=True, slots=True)
class Results:
    """Results with their positions, None for one that cannot be read.

    ``has_gap`` tells that there were others before them which nobody can read any more.
    """

    entries: list[tuple[str, CommandResult | None]]
    has_gap: bool


class DashboardOrders:
    """The dashboard's side; safe to use from several threads."""

    def __init__(self, client: Client, channels: RedisChannels, address: str) -> None:
        self._client = client
        self._channels = channels
        self._address = address
        self._accept = client.register_script(order_scripts.ACCEPT)
        self._sweep = client.register_script(order_scripts.SWEEP)
        self.records = OrderRecords(client, channels, address)

    def accept(
        self,
        command_id: str,
        order: Order,
        deadline_s: float,
        key: str | None,
        bounds: Bounds,
        durability: Durability,
        sender: Sender = ANYBODY,
    ) -> Accepted:
        """Write the record and the stream entry in one step; raise `BusError`.

        After a `BusError` it is not known whether the command was accepted.
        """
        names, packed = self._channels, codec.pack(order)
        digest = "" if key is None else key_digest(sender.name, key)
        summary = codec.encode(_summary(order, durability))
        keys = [
            names.order_key(digest),
            *ending_keys(names),
            names.orders_recent,
            names.orders_keyed,
            names.order_senders,
            names.orders_kept_bytes,
            names.auth_version,
        ]
        arguments: list[str | int | bytes] = [
            command_id,
            *ending_arguments(names),
            packed,
            summary,
            fingerprint(order, deadline_s),
            round(deadline_s * 1000),
            bounds.ttl_s * 1000,
            len(packed),
            digest,
            sender.name,
            "" if sender.rights is None else sender.rights,
            EXPIRY_GRACE_MS,
            bounds.commands,
            bounds.bytes,
            MAX_RECORDS,
            MAX_KEYED_OF_ONE,
            bounds.record_bytes,
            len(summary) + RECORD_BYTES,
        ]
        with plain_errors(self._address):
            verdict, told = cast(list[bytes], self._accept(keys=keys, args=arguments))
        return Accepted(cast(Verdict, verdict.decode()), told.decode())

    def rights(self) -> int:
        """Return the number that grows whenever somebody's rights may have shrunk."""
        with plain_errors(self._address):
            found: Any = self._client.get(self._channels.auth_version)
        return int(found or 0)

    def waiting(self) -> tuple[int, int]:
        """Return how many commands wait for their result, and their bytes."""
        with plain_errors(self._address):
            count = int(self._client.xlen(self._channels.orders))
            used: Any = self._client.get(self._channels.order_bytes)
        return count, int(used or 0)

    def sweep(self, *, only: str = "") -> Swept:
        """End what is overdue and nobody else ends, and what a sender may not send any more.

        ``only`` looks at that one command alone.
        """
        names = self._channels
        keys = [
            names.orders_recent,
            *ending_keys(names),
            names.orders_keyed,
            names.order_senders,
            names.orders_kept_bytes,
            names.orders_withdrawn,
            names.orders_withdrawing,
            names.order_burnt,
        ]
        arguments: list[str | int] = [only, *ending_arguments(names), PER_SWEEP]
        arguments += [EXPIRY_GRACE_MS, SENT_GRACE_MS, RECEIVED_GRACE_MS]
        arguments += [NOT_TAKEN, NEVER_TOLD, BROKEN_RECORD, RIGHTS_WITHDRAWN]
        with plain_errors(self._address):
            ended, more = cast(list[int], self._sweep(keys=keys, args=arguments))
        return Swept(ended, bool(more))

    def read_results(self, after: str, block_s: float) -> Results:
        """Wait for results behind a position."""
        stream = self._channels.order_results
        with plain_errors(self._address):
            pipeline = self._client.pipeline(transaction=False)
            pipeline.xrange(stream, count=1)
            pipeline.xread({stream: after}, count=PER_READ, block=int(block_s * 1000))
            oldest, answer = cast(Any, pipeline.execute())
        entries = answer[0][1] if answer else []
        if after == BEGIN:  # nothing was there when it was looked first
            has_gap = len(entries) == PER_READ
        else:  # the oldest go first: while what was read last is there, nothing behind it went
            has_gap = bool(oldest) and _is_before(after, str(oldest[0][0], "ascii"))
        found = [(str(position, "ascii"), _result(fields)) for position, fields in entries]
        return Results(found, has_gap)

    def durability(self) -> Durability:
        """Ask Redis what it keeps; raise `BusError` when it does not answer."""
        return on_disk.ask(self._client, self._address)


def _is_before(one: str, other: str) -> bool:
    first, second = ([int(part) for part in text.split("-")] for text in (one, other))
    return first < second


def _summary(order: Order, durability: Durability) -> OrderSummary:
    topic, sha256 = told_topic(order.topic)
    return OrderSummary(
        topic=topic,
        qos=order.qos,
        retain=order.retain,
        mode=order.mode,
        size=len(order.payload),
        durable=durability.durable,
        durable_reason=durability.reason,
        topic_sha256=sha256,
    )


def _result(fields: dict[bytes, bytes]) -> CommandResult | None:
    try:
        return codec.decode(fields.get(b"d", b""), CommandResult)
    except ContractError:
        return None
