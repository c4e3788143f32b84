"""Who watches what: audiences by filters and pace, and the move of a viewer between them."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from mqtt_dashboard.dashboard.backlog import Losses
from mqtt_dashboard.dashboard.frames import FrameSender
from mqtt_dashboard.dashboard.matching import FilterSet, Matcher
from mqtt_dashboard.dashboard.ring import Item, Position
from mqtt_dashboard.dashboard.viewers import Audience, Share, Viewer

# A viewer that was further than this worker waits so long for it to catch up.
SKIP_S: Final = 1.0
# So often those who give credit are told where the log is, so that they can resume from there.
REMIND_S: Final = 5.0


class Audiences:
    """All audiences; each viewer with filters is in exactly one. Used under the fan-out's lock."""

    def __init__(self, sender: FrameSender) -> None:
        self._sender = sender
        self._matcher = Matcher()
        self._by_filters: dict[FilterSet, dict[float, Audience]] = defaultdict(dict)
        # Those with something to send.
        self.dirty: set[Audience] = set()
        self._remind_at = 0.0

    def __iter__(self) -> Iterator[Audience]:
        return (one for paces in self._by_filters.values() for one in paces.values())

    def __bool__(self) -> bool:
        return bool(self._by_filters)

    def add(self, item: Item) -> None:
        """Queue a message for all whose filters match."""
        for filters in self._matcher.match(item.topic):
            for audience in self._by_filters[filters].values():
                audience.add(item)
                self.dirty.add(audience)
                for viewer in audience.newcomers.values():
                    if not _skips(viewer, item.position):
                        self._sender.absorb(viewer, Share([item], Losses(), gap=False))

    def mark_gap(self) -> None:
        """Tell all who watch that something was lost here."""
        for audience in self:
            audience.gap = True
            for viewer in audience.newcomers.values():
                viewer.gap = True
            self.dirty.add(audience)

    def of(self, viewer: Viewer) -> Audience | None:
        """Return the audience a viewer belongs to."""
        paces = self._by_filters.get(viewer.filters, {})
        return paces.get(viewer.credit.interval_s)

    def enter(self, viewer: Viewer) -> None:
        """Put a viewer into the audience of its filters and pace."""
        if not viewer.filters:
            return
        paces = self._by_filters[viewer.filters]
        if not paces:
            self._matcher.add(viewer.filters)
        interval = viewer.credit.interval_s
        audience = paces.setdefault(interval, Audience(viewer.filters, interval))
        in_step = audience.quiet and viewer.skip is None
        (audience.viewers if in_step else audience.newcomers)[viewer.sid] = viewer
        if viewer.behind or viewer.skip is not None:
            self.dirty.add(audience)

    def exit(self, viewer: Viewer) -> None:
        """Take a viewer out; what is queued for it goes into its own backlog."""
        audience = self.of(viewer)
        if audience is None:
            return
        if audience.viewers.pop(viewer.sid, None):
            self._sender.absorb(viewer, audience.peek())
        audience.newcomers.pop(viewer.sid, None)
        if audience.empty:
            self.dirty.discard(audience)
            del self._by_filters[viewer.filters][audience.interval_s]
            if not self._by_filters[viewer.filters]:
                del self._by_filters[viewer.filters]
                self._matcher.remove(viewer.filters)

    def flush(self, now: float, reached: Position) -> float | None:
        """Send what is due; return the seconds until something more is, None when nothing is."""
        waits: list[float] = []
        for audience in list(self.dirty):
            if audience.next_at > now:
                waits.append(audience.next_at - now)
                continue
            self.dirty.discard(audience)
            audience.next_at = now + audience.interval_s
            audience.told = reached
            behind = self._sender.share_out(audience, reached)
            if _settle(audience, now, reached) or behind:
                self.dirty.add(audience)
                waits.append(audience.interval_s)
        if now >= self._remind_at:
            self._remind_at = now + REMIND_S
            self._remind(reached)
        return min(waits, default=None)

    def _remind(self, reached: Position) -> None:
        for audience in self:
            if audience.told < reached and audience not in self.dirty:
                audience.told = reached
                self._sender.remind(audience, reached)


def _settle(audience: Audience, now: float, reached: Position) -> bool:
    """Put newcomers in step; return whether one is left or has something to be told.

    Left are those whose position this worker has not reached yet.
    """
    told = False
    for sid, viewer in list(audience.newcomers.items()):
        if viewer.skip is not None:
            position, until = viewer.skip
            if reached < position and now < until:
                continue
            # Not reached in time: the log is not the one this viewer knew.
            viewer.gap = viewer.gap or reached < position
            viewer.skip = None
        audience.viewers[sid] = audience.newcomers.pop(sid)
        told = told or viewer.behind
    return told or bool(audience.newcomers)


def _skips(viewer: Viewer, position: Position) -> bool:
    return viewer.skip is not None and position <= viewer.skip[0]
