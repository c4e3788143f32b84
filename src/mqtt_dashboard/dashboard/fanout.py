"""From the message log to the viewers: per-viewer filters, bounded backlogs, counted losses.

A viewer that does not read or gives no credit gets nothing put into its socket's queue (which has
no bound of its own) and is cut after a while; what it misses is counted in its next frame.
"""

import threading
from collections.abc import Iterable
from itertools import islice
from typing import Final

from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.messages import Batch
from mqtt_dashboard.dashboard.audiences import SKIP_S, Audiences
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.frames import CUT_AFTER_S, FrameSender, Outlet
from mqtt_dashboard.dashboard.matching import FilterSet, matches_any, names_in
from mqtt_dashboard.dashboard.ring import (
    FRAME_BYTES,
    START,
    Item,
    Position,
    Ring,
    frames_of,
    items_of,
    newest_within,
)
from mqtt_dashboard.dashboard.viewers import Account, Replay, Resume, Viewer
from mqtt_dashboard.errors import QueueFullError

FILTERS_PER_VIEWER: Final = 20
MAX_VIEWERS: Final = 2000
REPLAYED: Final = 50
REPLAY_MESSAGES: Final = 2000
REPLAY_BYTES: Final = 1024 * 1024


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
        self._clock = clock
        self._counters = counters
        self._sender = FrameSender(outlet, clock, counters, cut_after_s)
        self._lock = threading.RLock()
        self._viewers: dict[str, Viewer] = {}
        self._audiences = Audiences(self._sender)
        self._ring = Ring()
        self._position = START
        self.payload_limit = payload_limit
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
            viewer = self._viewers.pop(sid, None)
            if viewer is None:
                return frozenset()
            filters = viewer.filters
            self._move(viewer, frozenset())
            return filters

    def viewer_count(self) -> int:
        """Return how many viewers are connected."""
        return len(self._viewers)

    def position(self) -> int | None:
        """Return the last message read from the log; None while nobody watches here."""
        return self._position.seq if self.watched.is_set() and self._position.seq else None

    def buffered(self) -> int:
        """Return how many matched messages wait for viewers that are behind."""
        with self._lock:
            return sum(len(viewer.backlog) for viewer in self._viewers.values())

    def account(self, sid: str) -> Account | None:
        """Return where a viewer's matched messages are, without those of the frame to come."""
        with self._lock:
            viewer = self._viewers.get(sid)
            return None if viewer is None else viewer.account()

    def credit(self, sid: str, frames: int) -> int | None:
        """Allow a viewer more frames; return how many it may be sent now, None if unknown."""
        with self._lock:
            viewer = self._viewers.get(sid)
            if viewer is None:
                return None
            if viewer.credit.left is None:
                self._audiences.exit(viewer)
                viewer.credit.add(frames)
                self._audiences.enter(viewer)
            else:
                viewer.credit.add(frames)
            self._wake(viewer)
            return viewer.credit.left

    def cut_if_flooding(self, sid: str) -> None:
        """Cut a viewer whose unread answers have become too many."""
        self._sender.cut_if_flooding(sid)

    def watch(self, sid: str, topic_filter: str, after: Position | None = None) -> bool:
        """Add a filter to a viewer and replay recent messages; return whether it is new.

        With ``after`` nothing live is sent until `finish_resume` brought what came since.
        """
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
            upto = self._position if self.primed.is_set() else None
            if after is not None:
                viewer.resuming[topic_filter] = Resume(topic_filter, after, before, upto)
                if upto is not None:
                    self._skip_known(viewer, after, upto)
            self._move(viewer, before | {topic_filter})
            if after is None:
                if upto is not None:
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

    # Resumed subscriptions -------------------------------------------------------------------
    def open_resume(self, sid: str, topic_filter: str) -> Resume | None:
        """Return what a resumed subscription still has to be brought, None when nothing."""
        with self._lock:
            viewer = self._viewers.get(sid)
            return None if viewer is None else viewer.resuming.get(topic_filter)

    def recent(self) -> list[Item]:
        """Return the ring's messages, newest first."""
        with self._lock:
            return list(self._ring.newest_first())

    def finish_resume(self, sid: str, resume: Resume, found: Replay) -> None:
        """Queue what was found for a resumed subscription; live messages follow it."""
        with self._lock:
            viewer = self._viewers.get(sid)
            if viewer is None or viewer.resuming.get(resume.topic_filter) is not resume:
                return
            del viewer.resuming[resume.topic_filter]
            self._queue_replay(viewer, found)

    # Messages, from the follower -------------------------------------------------------------
    def prime(self, batches: Iterable[Batch]) -> None:
        """Fill the ring with recent batches, oldest first, and replay to those who wait."""
        with self._lock:
            self._ring.clear()
            for batch in batches:
                for item in items_of(batch, self.payload_limit):
                    self._ring.add(item)
                    self._position = item.position
            self.primed.set()
            for viewer in self._viewers.values():
                for resume in viewer.resuming.values():
                    if resume.upto is None:
                        resume.upto = self._position
                        self._audiences.exit(viewer)
                        self._skip_known(viewer, resume.after, self._position)
                        self._audiences.enter(viewer)
                        self._wake(viewer)
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
            for item in items_of(batch, self.payload_limit):
                self._ring.add(item)
                self._audiences.add(item)
            self._position = Position(batch.epoch, batch.first_seq + len(batch.messages) - 1)
        self.due.set()

    def mark_gap(self, reason: str = "") -> None:
        """Tell all who watch that an unknown number of their messages was lost here."""
        with self._lock:
            self._counters.add("log_gaps", reason)
            self._audiences.mark_gap()
        self.due.set()

    # Frames, from the flusher ----------------------------------------------------------------
    def flush(self) -> float | None:
        """Send what is due to all who may get it; return the seconds until more is due."""
        with self._lock:
            return self._audiences.flush(self._clock.monotonic(), self._position)

    def tell(self, event: str, document: bytes) -> None:
        """Send a state event to all viewers that read."""
        with self._lock:
            self._sender.tell(list(self._viewers.values()), event, document)

    def tell_one(self, sid: str, event: str, document: bytes) -> None:
        """Send a state event to one viewer."""
        with self._lock:
            if sid in self._viewers:
                self._sender.tell_one(self._viewers[sid], event, document)

    # Inside ----------------------------------------------------------------------------------
    def _move(self, viewer: Viewer, filters: FilterSet) -> None:
        """Change a viewer's filters; what was queued before stays its own."""
        self._audiences.exit(viewer)
        viewer.filters = filters
        viewer.backlog.named = names_in(filters)
        self._counters.add("viewer_messages_dropped", "unwanted", viewer.forget_unwanted())
        self._audiences.enter(viewer)
        self._wake(viewer)
        if self._audiences:
            self.watched.set()
        else:
            self.watched.clear()

    def _wake(self, viewer: Viewer) -> None:
        audience = self._audiences.of(viewer)
        if audience is not None and (viewer.behind or viewer.skip is not None):
            self._audiences.dirty.add(audience)
            self.due.set()

    def _replay(self, viewer: Viewer, topic_filter: str, seen: FilterSet) -> None:
        wanted = frozenset([topic_filter])
        found = (
            item
            for item in self._ring.newest_first()
            if matches_any(wanted, item.topic) and not matches_any(seen, item.topic)
        )
        items = newest_within(list(islice(found, REPLAYED))[::-1], FRAME_BYTES)
        if items:
            self._queue_replay(viewer, Replay(topic_filter, items, self._position))

    def _queue_replay(self, viewer: Viewer, found: Replay) -> None:
        """Queue a replay in frames, within the viewer's budget; the first one leaves at once."""
        queued = [item for one in viewer.replays for item in one.items]
        room = REPLAY_BYTES - sum(item.weight for item in queued)
        fitting = newest_within(found.items[-REPLAY_MESSAGES:], room)
        cut = len(fitting) < len(found.items)
        idle = not viewer.replays
        for number, items in enumerate(frames_of(fitting) or [[]]):
            first = number == 0
            gap, missing = first and (found.gap or cut), None if cut or not first else found.missing
            if items or gap:
                one = Replay(found.topic_filter, items, found.upto, gap, missing)
                viewer.replays.append(one)
        if idle:
            self._sender.replay(viewer)
        self._wake(viewer)

    def _skip_known(self, viewer: Viewer, after: Position, upto: Position) -> None:
        """Do not deliver again what another worker, further than this one, sent already."""
        if after > upto and after.epoch == upto.epoch:
            viewer.skip = (after, self._clock.monotonic() + SKIP_S)
