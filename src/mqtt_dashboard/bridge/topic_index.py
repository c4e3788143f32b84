"""The topic index: per topic the last value and its account, bounded, written behind.

The forwarder's thread notes messages, the index thread writes to Redis what changed: a topic that
changed a thousand times between two writes is written once. A full index refuses new topics and
counts their messages by reason; topics that were silent for long make room.
"""

import contextlib
import threading
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Final, NamedTuple

from mqtt_dashboard.bridge.index_past import Past
from mqtt_dashboard.bridge.topic_account import TopicAccount
from mqtt_dashboard.bridge.topic_report import news
from mqtt_dashboard.bridge.topic_table import CONFIRMED, RETAINED, SEEN, STORED
from mqtt_dashboard.bridge.unwritten import Position
from mqtt_dashboard.contract.messages import LogMessage, TopicNews, TopicsUpdate
from mqtt_dashboard.contract.topic_entry import TopicEntry

NAMES_BUDGET: Final = 128 * 1024 * 1024
# Batches that are entered into the account together; the inbox bounds the bytes of each.
HEARD_AT_ONCE: Final = 8

_retain_of = attrgetter("retain")


class Taken(NamedTuple):
    """Entries to write. Those named in ``hollow`` come without the value, which Redis has.

    ``mark`` (None: as it was) is up to where the index is whole once they are written; ``more``
    tells whether others wait.
    """

    entries: list[TopicEntry]
    hollow: set[str]
    mark: Position | None
    more: bool


class TopicIndex:
    """All topics seen, up to ``limit``, and up to ``names_budget`` bytes of their names.

    A value is kept up to ``value_limit`` bytes, all values together up to about ``value_budget``
    bytes; past it a value keeps its first 64 bytes, which readers see from its size.

    Messages that are not retained wait for others of their topics before they are entered;
    whoever asks for something has them entered first.
    """

    def __init__(
        self, limit: int, value_limit: int, value_budget: int, names_budget: int = NAMES_BUDGET
    ) -> None:
        self.limit = limit
        self.value_limit = value_limit
        self._value_budget = value_budget
        self._names_budget = names_budget
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything: another bridge writes the index now."""
        with self._lock:
            self._account = TopicAccount(
                self.limit, self.value_limit, self._value_budget, self._names_budget
            )
            self._unheard: list[LogMessage] = []
            self._unheard_batches = 0

    @property
    def retained(self) -> int:
        """How many topics have a retained message as far as is known."""
        return self._account.retained

    @property
    def left_out(self) -> int:
        """Messages of topics that found no place."""
        with self._up_to_date() as account:
            return account.left_out.total()

    def __len__(self) -> int:
        with self._up_to_date() as account:
            return len(account.table)

    def note(self, messages: list[LogMessage], last: Position = (0, 0)) -> None:
        """Take the messages of one batch into account; ``last`` is the number of its last one."""
        with self._lock:
            self._unheard += messages
            self._unheard_batches += 1
            self._account.hear_up_to(last)
            # Whether a topic is retained is asked without the lock, so that must not wait.
            if self._unheard_batches >= HEARD_AT_ONCE or any(map(_retain_of, messages)):
                self._enter()

    def begin_restore(self, epoch: int) -> frozenset[int]:
        """Expect everything Redis has; return the epochs whose messages were all heard here."""
        with self._up_to_date() as account:
            account.own.add(epoch)
            account.table.flags = account.table.flags.translate(_WITHOUT_SEEN)
            return frozenset(account.own)

    def restore(self, entries: Iterable[TopicEntry]) -> list[str]:
        """Add what was stored before; return the topics that find no place."""
        with self._up_to_date() as account:
            return account.restore(entries)

    def end_restore(self, *, names_whole: bool) -> int:
        """Write anew what Redis has lost, and every name if some are missing; return how many."""
        with self._up_to_date() as account:
            return account.write_anew(names_whole=names_whole)

    def catch_up(self, past: Past) -> None:
        """Add what the log held beyond the stored index; what was heard since is newer."""
        with self._up_to_date() as account:
            account.catch_up(past)

    def take_dirty(self, limit: int) -> Taken:
        """Return about ``limit`` changed entries, oldest change first."""
        with self._up_to_date() as account:
            part = account.unwritten.take(limit, account.noted)
            entries: list[TopicEntry] = []
            hollow: set[str] = set()
            for slot, payload in part.slots:
                if payload is None:
                    hollow.add(account.table.names[slot])
                entries.append(account.flush(slot, payload))
            return Taken(entries, hollow, part.mark, part.more)

    def give_back(self, entries: Iterable[TopicEntry], hollow: set[str]) -> None:
        """Mark entries as dirty again: they could not be written."""
        with self._up_to_date() as account:
            for entry in entries:
                slot = account.table.slots.get(entry.topic)
                if slot is not None:
                    value = None if entry.topic in hollow else entry.payload
                    account.unwritten.give_back(slot, value)

    def written(self, entries: Iterable[TopicEntry]) -> None:
        """Note that Redis has these entries now."""
        self._flag((entry.topic for entry in entries), STORED)

    def known_to_redis(self, topic: str) -> bool:
        """Tell whether Redis has an entry of the topic."""
        return self._has(topic, STORED)

    def make_room(self, now: float) -> list[str]:
        """Forget long silent topics if the index is full; return them."""
        with self._up_to_date() as account:
            return account.make_room(now)

    def is_retained(self, topic: str) -> bool:
        """Tell whether the topic is known to have a retained message."""
        return self._has(topic, RETAINED)

    def first_levels(self, limit: int) -> list[str]:
        """Return the first levels of all topics, up to ``limit``."""
        found = {name.partition("/")[0] for name in self._names()}
        return sorted(found)[:limit]

    def depth(self) -> int:
        """Return how many levels the deepest topic has, at most 16."""
        return min(max((name.count("/") for name in self._names()), default=0) + 1, 16)

    def begin_snapshot(self) -> None:
        """Expect a complete set of retained messages: nothing of it is confirmed yet."""
        with self._up_to_date() as account:
            account.table.flags = account.table.flags.translate(_WITHOUT_CONFIRMED)

    def confirm(self, topics: Iterable[str]) -> None:
        """Note that the broker still has the retained messages of these topics."""
        self._flag(topics, CONFIRMED)

    def end_snapshot(self) -> int:
        """Take back "retained" from topics the snapshot did not hold; return how many."""
        with self._up_to_date() as account:
            return account.take_back_unconfirmed()

    def update(self, timestamp: float, epoch: int) -> TopicsUpdate:
        """Return the document for `RedisChannels.TOPIC_LIST` and start the next interval."""
        with self._up_to_date() as account:
            interval = account.report.take(account.table)
            return TopicsUpdate(
                timestamp=timestamp,
                count=len(account.table),
                new=interval.new,
                changed_count=interval.changed,
                changed=interval.shown,
                limit=self.limit,
                left_out=account.left_out.total(),
                left_out_by=dict(account.left_out),
                values_cut=account.values_cut,
                epoch=epoch,
            )

    @property
    def places(self) -> int:
        """How many slots there are to look through, free ones included."""
        with self._up_to_date() as account:
            return len(account.table.names)

    def overdue(self, first: int, last: int, now: float, since: float) -> list[tuple[float, int]]:
        """Return (last seen, slot) of the topics among some slots that are silent for too long."""
        with self._up_to_date() as account:
            return account.table.overdue(first, last, now, since)

    def newest(self) -> list[TopicNews]:
        """Return the topics seen first most recently, the newest first."""
        with self._up_to_date() as account:
            return account.report.newest(account.table)

    def news(self, slots: Iterable[int]) -> list[TopicNews]:
        """Return what is worth telling of some slots."""
        with self._up_to_date() as account:
            return news(account.table, slots)

    @contextlib.contextmanager
    def _up_to_date(self) -> Iterator[TopicAccount]:
        with self._lock:
            self._enter()
            yield self._account

    def _enter(self) -> None:
        if self._unheard:
            messages, self._unheard, self._unheard_batches = self._unheard, [], 0
            self._account.hear(messages)

    def _flag(self, topics: Iterable[str], flag: int) -> None:
        with self._up_to_date() as account:
            for topic in topics:
                slot = account.table.slots.get(topic)
                if slot is not None:
                    account.table.flags[slot] |= flag

    def _has(self, topic: str, flag: int) -> bool:
        # Asked from other threads without the lock: one table, which `clear` may replace meanwhile.
        table = self._account.table
        slot = table.slots.get(topic)
        return slot is not None and bool(table.flags[slot] & flag)

    def _names(self) -> list[str]:
        with self._up_to_date() as account:
            return list(account.table.slots)


_WITHOUT_CONFIRMED: Final = bytes(flags & ~CONFIRMED for flags in range(256))
_WITHOUT_SEEN: Final = bytes(flags & ~SEEN for flags in range(256))
