"""From the message log to the viewers: per-viewer filters, bounded buffers, counted drops.

Frames leave about ten times a second at most. A viewer that does not read gets nothing put into its
socket's queue (which has no bound of its own) and is cut after a while; whatever it misses is
counted in its next frame.
"""

import threading
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final, Protocol, cast

from mqtt_dashboard import logs
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import codec, events
from mqtt_dashboard.contract.events import MessagesFrame
from mqtt_dashboard.contract.messages import Batch, MessageReceived
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.matching import FilterSet, Matcher, matches_any
from mqtt_dashboard.dashboard.viewers import Audience, Item, Ring, Viewer, newest_within
from mqtt_dashboard.errors import QueueFullError

# Ten frames a second, and a little room: a source of just ten a second is never made to wait.
FRAME_INTERVAL_S: Final = 0.09
FILTERS_PER_VIEWER: Final = 20
MAX_VIEWERS: Final = 2000
REPLAYED: Final = 50
UNREAD_LIMIT: Final = 3
CUT_AFTER_S: Final = 20.0

_log = logs.get(__name__)


class Outlet(Protocol):
    """The sockets of this worker."""

    def send(self, sids: Sequence[str], event: str, document: bytes) -> None:
        """Queue one event, already in JSON, for some viewers; must not block."""

    def unread(self, sid: str) -> int:
        """Return how many packets wait in a viewer's queue."""

    def cut(self, sid: str) -> None:
        """Close a viewer's connection at once."""


class Fanout:
    """All viewers of this worker and what is on its way to them."""

    def __init__(
        self,
        outlet: Outlet,
        clock: Clock,
        counters: Counters,
        payload_limit: int,
        cut_after_s: float = CUT_AFTER_S,
    ) -> None:
        self._outlet = outlet
        self._clock = clock
        self._counters = counters
        self._payload_limit = payload_limit
        self._cut_after_s = cut_after_s
        self._lock = threading.RLock()
        self._viewers: dict[str, Viewer] = {}
        self._audiences: dict[FilterSet, Audience] = {}
        self._matcher = Matcher()
        self._ring = Ring()
        self._epoch = 0
        self._seq = 0
        self.watched = threading.Event()
        self.primed = threading.Event()
        self.due = threading.Event()

    # Viewers ---------------------------------------------------------------------------------
    def join(self, sid: str) -> None:
        """Take a new viewer; raise `QueueFullError` when there are too many."""
        with self._lock:
            if len(self._viewers) >= MAX_VIEWERS:
                raise QueueFullError(f"this worker already serves {MAX_VIEWERS} viewers")
            self._viewers[sid] = Viewer(sid)

    def leave(self, sid: str) -> FilterSet:
        """Forget a viewer; return the filters it had."""
        with self._lock:
            viewer = self._viewers.get(sid)
            if viewer is None:
                return frozenset()
            filters = viewer.filters
            self._move(viewer, frozenset())
            del self._viewers[sid]
            return filters

    def viewer_count(self) -> int:
        """Return how many viewers are connected."""
        return len(self._viewers)

    def position(self) -> int | None:
        """Return the last message read from the log; None while nobody watches here."""
        return self._seq if self.watched.is_set() and self._seq else None

    def buffered(self) -> int:
        """Return how many matched messages wait for viewers that are behind."""
        with self._lock:
            return sum(len(viewer.backlog) for viewer in self._viewers.values())

    def watch(self, sid: str, topic_filter: str) -> bool:
        """Add a filter to a viewer and replay recent messages; return whether it is new."""
        with self._lock:
            viewer = self._viewers.get(sid)
            if viewer is None or topic_filter in viewer.filters:
                return False
            if len(viewer.filters) >= FILTERS_PER_VIEWER:
                raise QueueFullError(
                    f"{FILTERS_PER_VIEWER} filters are the most one viewer may watch; "
                    "stop watching one first"
                )
            before = viewer.filters
            self._move(viewer, before | {topic_filter})
            if self.primed.is_set():
                self._replay(viewer, topic_filter, before)
            else:
                viewer.wants_replay.add(topic_filter)
            return True

    def unwatch(self, sid: str, topic_filter: str) -> bool:
        """Take a filter from a viewer; return whether it had it."""
        with self._lock:
            viewer = self._viewers.get(sid)
            if viewer is None or topic_filter not in viewer.filters:
                return False
            self._move(viewer, viewer.filters - {topic_filter})
            return True

    # Messages, from the follower -------------------------------------------------------------
    def prime(self, batches: Iterable[Batch]) -> None:
        """Fill the ring with recent batches, oldest first, and replay to those who wait."""
        with self._lock:
            self._ring.clear()
            for batch in batches:
                for item in _items(batch):
                    self._ring.add(item)
                    self._epoch, self._seq = item.epoch, item.seq
            self.primed.set()
            for viewer in self._viewers.values():
                for topic_filter in sorted(viewer.wants_replay):
                    self._replay(viewer, topic_filter, viewer.filters - viewer.wants_replay)
                    viewer.wants_replay.discard(topic_filter)

    def rest(self) -> bool:
        """Forget the ring when nobody watches; return False when somebody does."""
        with self._lock:
            if self.watched.is_set():
                return False
            self._ring.clear()
            self.primed.clear()
            return True

    def deliver(self, batch: Batch) -> None:
        """Queue a batch for all whose filters match."""
        with self._lock:
            for item in _items(batch):
                self._ring.add(item)
                for filters in self._matcher.match(item.message.topic):
                    self._audiences[filters].add(item)
            self._epoch = batch.epoch
            self._seq = batch.first_seq + len(batch.messages) - 1
        self.due.set()

    def mark_gap(self) -> None:
        """Tell all who watch that an unknown number of messages was lost here."""
        with self._lock:
            self._counters.add("log_gaps")
            for audience in self._audiences.values():
                audience.gap = True
        self.due.set()

    # Frames, from the flusher ----------------------------------------------------------------
    def flush(self) -> None:
        """Send what is queued to all who read; keep or drop it for the others."""
        with self._lock:
            for audience in list(self._audiences.values()):
                self._flush_audience(audience)
            if any(viewer.behind for viewer in self._viewers.values()):
                self.due.set()

    def tell(self, event: str, document: bytes) -> None:
        """Send a state event to all viewers that read."""
        with self._lock:
            sids = [one.sid for one in list(self._viewers.values()) if self._reads(one)]
            self._counters.add("events_skipped", event, len(self._viewers) - len(sids))
            if sids:
                self._outlet.send(sids, event, document)

    def tell_one(self, sid: str, event: str, document: bytes) -> None:
        """Send a state event to one viewer."""
        with self._lock:
            if sid in self._viewers:
                self._outlet.send([sid], event, document)

    # Inside ----------------------------------------------------------------------------------
    def _flush_audience(self, audience: Audience) -> None:
        items, matched, gap = audience.take()
        together: list[str] = []
        fitting = newest_within(items, self._payload_limit)
        for viewer in list(audience.viewers.values()):
            self._count_matched(viewer, matched)
            reads = self._reads(viewer)
            if reads and not viewer.behind:
                self._count_sent(viewer, len(fitting))
                self._count_dropped(viewer, matched - len(fitting), "too_many")
                together.append(viewer.sid)
                continue
            viewer.gap = viewer.gap or gap
            dropped = viewer.absorb(items, matched - len(items))
            self._counters.add("viewer_messages_dropped", "too_many" if reads else "slow", dropped)
            if reads:
                self._send_own(viewer)
        if together and (matched or gap):
            self._send(together, fitting, matched - len(fitting), gap=gap)

    def _send_own(self, viewer: Viewer) -> None:
        items = list(viewer.backlog)
        fitting = newest_within(items, self._payload_limit)
        self._count_dropped(viewer, len(items) - len(fitting), "too_many")
        dropped = viewer.unreported + len(items) - len(fitting)
        gap = viewer.gap
        viewer.backlog.clear()
        viewer.unreported, viewer.gap = 0, False
        if fitting or dropped or gap:
            self._count_sent(viewer, len(fitting))
            self._send([viewer.sid], fitting, dropped, gap=gap)

    def _send(
        self,
        sids: list[str],
        items: list[Item],
        dropped: int,
        *,
        gap: bool = False,
        replay: bool = False,
    ) -> None:
        raw = [item.raw(self._payload_limit) for item in items]
        frame = MessagesFrame(
            epoch=self._epoch,
            seq=self._seq,
            dropped=dropped,
            messages=cast(list[MessageReceived], raw),
            gap=gap,
            replay=replay,
        )
        self._counters.add("frames", amount=len(sids))
        self._outlet.send(sids, events.MQTT_MESSAGES, codec.encode(frame))

    def _replay(self, viewer: Viewer, topic_filter: str, seen: FilterSet) -> None:
        wanted = frozenset([topic_filter])
        found = (
            item
            for item in self._ring.newest_first()
            if matches_any(wanted, item.message.topic) and not matches_any(seen, item.message.topic)
        )
        items = newest_within(list(islice(found, REPLAYED))[::-1], self._payload_limit)
        if items and self._reads(viewer):
            self._counters.add("viewer_messages_replayed", amount=len(items))
            self._send([viewer.sid], items, 0, replay=True)

    def _move(self, viewer: Viewer, filters: FilterSet) -> None:
        """Change a viewer's filters; what was queued before is settled under the old ones."""
        for key in (viewer.filters, filters):
            if key in self._audiences:
                self._settle(self._audiences[key])
        if viewer.filters:
            self._audiences[viewer.filters].viewers.pop(viewer.sid)
            if not self._audiences[viewer.filters].viewers:
                del self._audiences[viewer.filters]
                self._matcher.remove(viewer.filters)
        viewer.filters = filters
        viewer.wants_replay &= filters
        if filters:
            if filters not in self._audiences:
                self._audiences[filters] = Audience(filters)
                self._matcher.add(filters)
            self._audiences[filters].viewers[viewer.sid] = viewer
        self._counters.add("viewer_messages_dropped", "unwanted", viewer.forget_unwanted())
        if self._audiences:
            self.watched.set()
        else:
            self.watched.clear()

    def _settle(self, audience: Audience) -> None:
        items, matched, gap = audience.take()
        for viewer in audience.viewers.values():
            self._count_matched(viewer, matched)
            dropped = viewer.absorb(items, matched - len(items))
            self._counters.add("viewer_messages_dropped", "too_many", dropped)
            viewer.gap = viewer.gap or gap
        if matched or gap:
            self.due.set()

    def _reads(self, viewer: Viewer) -> bool:
        if self._outlet.unread(viewer.sid) < UNREAD_LIMIT:
            viewer.silent_since = None
            return True
        now = self._clock.monotonic()
        if viewer.silent_since is None:
            viewer.silent_since = now
        elif now - viewer.silent_since > self._cut_after_s:
            viewer.silent_since = now
            self._counters.add("viewers_cut", "not_reading")
            _log.warning("viewer.cut", sid=viewer.sid, reason="does not read")
            self._outlet.cut(viewer.sid)
        return False

    def _count_matched(self, viewer: Viewer, amount: int) -> None:
        viewer.matched += amount
        self._counters.add("viewer_messages_matched", amount=amount)

    def _count_sent(self, viewer: Viewer, amount: int) -> None:
        viewer.sent += amount
        self._counters.add("viewer_messages_sent", amount=amount)

    def _count_dropped(self, viewer: Viewer, amount: int, reason: str) -> None:
        viewer.dropped += amount
        self._counters.add("viewer_messages_dropped", reason, amount)


def _items(batch: Batch) -> Iterable[Item]:
    return (
        Item(message, batch.epoch, batch.first_seq + offset)
        for offset, message in enumerate(batch.messages)
    )
