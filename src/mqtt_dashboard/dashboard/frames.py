"""Sends frames: to many at once when they are in step, to one alone when it is behind.

Who may not be sent to (its socket is full, or it has given no credit) keeps a bounded backlog and
is cut when that lasts. Used under the fan-out's lock.
"""

from collections.abc import Sequence
from typing import Final, Literal, Protocol, cast

from mqtt_dashboard import logs
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import codec, events
from mqtt_dashboard.contract.events import MessagesFrame
from mqtt_dashboard.contract.messages import MessageReceived
from mqtt_dashboard.dashboard.backlog import Losses
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.ring import Position
from mqtt_dashboard.dashboard.viewers import Audience, Replay, Share, Viewer

UNREAD_LIMIT: Final = 3
# Answers to requests are queued whatever happens: who asks so much and reads nothing is cut.
FLOODED: Final = 200
CUT_AFTER_S: Final = 20.0

Obstacle = Literal["", "resuming", "no_credit", "not_reading"]

_log = logs.get(__name__)


class Outlet(Protocol):
    """The sockets of this worker."""

    def send(self, sids: Sequence[str], event: str, document: bytes) -> None:
        """Queue one event, already in JSON, for some viewers; must not block."""

    def unread(self, sid: str) -> int:
        """Return how many packets wait in a viewer's queue."""

    def cut(self, sid: str) -> None:
        """Close a viewer's connection at once."""


class FrameSender:
    """Turns shares, backlogs and replays into frames and accounts for them."""

    def __init__(
        self, outlet: Outlet, clock: Clock, counters: Counters, cut_after_s: float = CUT_AFTER_S
    ) -> None:
        self._outlet = outlet
        self._clock = clock
        self._counters = counters
        self._cut_after_s = cut_after_s

    def obstacle(self, viewer: Viewer) -> Obstacle:
        """Return why a viewer may not be sent a frame, "" when it may; cut it after a while."""
        if self._outlet.unread(viewer.sid) >= UNREAD_LIMIT:
            self._grow_impatient(viewer, "not_reading")
            return "not_reading"
        if viewer.credit.exhausted:
            # Without anything to send there is no reason to give credit.
            if viewer.behind:
                self._grow_impatient(viewer, "no_credit")
            return "no_credit"
        viewer.silent_since = None
        return "resuming" if viewer.resuming else ""

    def cut_if_flooding(self, sid: str) -> None:
        """Cut a client that asks and asks and does not read the answers."""
        if self._outlet.unread(sid) >= FLOODED:
            self._counters.add("viewers_cut", "flooding")
            self._outlet.cut(sid)

    def remind(self, audience: Audience, reached: Position) -> None:
        """Tell those in step where the log is, although nothing came for them."""
        nothing = Share([], Losses(), gap=False)
        idle = [one for one in audience.viewers.values() if one.idle and not self.obstacle(one)]
        if idle:
            self._send(idle, nothing, reached, nothing.losses)

    def share_out(self, audience: Audience, reached: Position) -> bool:
        """Send an audience what is queued; return whether somebody stays behind."""
        share = audience.take()
        together: list[Viewer] = []
        behind = False
        for viewer in audience.viewers.values():
            if not (share or viewer.behind):
                continue
            obstacle = self.obstacle(viewer)
            if not viewer.behind and not obstacle:
                together.append(viewer)
                continue
            self.absorb(viewer, share)
            behind = self._catch_up(viewer, obstacle, reached) or behind
        if share:
            self._send_together(together, share, reached)
        for viewer in list(audience.newcomers.values()):
            behind = self._catch_up(viewer, self.obstacle(viewer), reached) or behind
        return behind

    def absorb(self, viewer: Viewer, share: Share) -> None:
        """Put a share into a viewer's backlog."""
        self._counters.add("viewer_messages_matched", amount=share.matched)
        self._count_losses(share.losses, "too_many")
        self._count_losses(viewer.absorb(share), "slow")

    def replay(self, viewer: Viewer) -> bool:
        """Send the replay that waits longest if it may be sent; return whether it was."""
        if not viewer.replays or self.obstacle(viewer):
            return False
        one = viewer.replays.popleft()
        self._counters.add("viewer_messages_replayed", amount=len(one.items))
        self._send([viewer], one, one.upto, Losses(), replay=True)
        return True

    def tell(self, viewers: Sequence[Viewer], event: str, document: bytes) -> None:
        """Send a state event to all that read."""
        sids = [one.sid for one in viewers if self.obstacle(one) != "not_reading"]
        self._counters.add("events_skipped", event, len(viewers) - len(sids))
        if sids:
            self._outlet.send(sids, event, document)

    def tell_one(self, viewer: Viewer, event: str, document: bytes) -> None:
        """Send a state event to one viewer."""
        self._outlet.send([viewer.sid], event, document)

    def _catch_up(self, viewer: Viewer, obstacle: Obstacle, reached: Position) -> bool:
        """Send one frame of what waits for a viewer alone; return whether more waits."""
        if not obstacle and not self.replay(viewer):
            self._send_own(viewer, reached)
        return viewer.behind

    def _send_own(self, viewer: Viewer, reached: Position) -> None:
        items = viewer.backlog.take_frame()
        if not (items or viewer.unreported or viewer.gap):
            return
        if len(viewer.backlog):
            # What still waits is behind this frame, not before it.
            reached = items[-1].position
        viewer.sent += len(items)
        self._counters.add("viewer_messages_sent", amount=len(items))
        share = Share(items, viewer.unreported, viewer.gap)
        viewer.unreported, viewer.gap = Losses(), False
        self._send([viewer], share, reached, share.losses)

    def _send_together(self, viewers: list[Viewer], share: Share, reached: Position) -> None:
        for viewer in viewers:
            viewer.count(share)
        count = len(viewers)
        self._counters.add("viewer_messages_matched", amount=count * share.matched)
        self._counters.add("viewer_messages_sent", amount=count * len(share.items))
        self._count_losses(share.losses, "too_many", count)
        if viewers:
            self._send(viewers, share, reached, share.losses)

    def _send(
        self,
        viewers: list[Viewer],
        content: Share | Replay,
        reached: Position,
        losses: Losses,
        *,
        replay: bool = False,
    ) -> None:
        frame = MessagesFrame(
            epoch=reached.epoch,
            seq=reached.seq,
            dropped=losses.dropped,
            conflated=losses.conflated,
            messages=cast(list[MessageReceived], [item.raw() for item in content.items]),
            gap=content.gap,
            missing=content.missing if isinstance(content, Replay) else None,
            replay=replay,
            left_out=losses.named,
        )
        for viewer in viewers:
            viewer.credit.spend()
        self._counters.add("frames", amount=len(viewers))
        self._outlet.send([one.sid for one in viewers], events.MQTT_MESSAGES, codec.encode(frame))

    def _count_losses(self, losses: Losses, reason: str, times: int = 1) -> None:
        self._counters.add("viewer_messages_conflated", reason, losses.conflated * times)
        self._counters.add("viewer_messages_dropped", reason, losses.dropped * times)

    def _grow_impatient(self, viewer: Viewer, reason: Obstacle) -> None:
        now = self._clock.monotonic()
        if viewer.silent_since is None:
            viewer.silent_since = now
        elif now - viewer.silent_since > self._cut_after_s:
            viewer.silent_since = now
            self._counters.add("viewers_cut", reason)
            _log.warning("viewer.cut", sid=viewer.sid, reason=reason)
            self._outlet.cut(viewer.sid)
