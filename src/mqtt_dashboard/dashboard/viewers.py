"""One viewer's account, and those who share a set of filters.

Plain data with no lock: everything here is used under the fan-out's lock. For each viewer
``matched = sent + conflated + dropped + buffered`` holds at every moment.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from mqtt_dashboard.dashboard.backlog import Backlog, Losses
from mqtt_dashboard.dashboard.credits import Credit
from mqtt_dashboard.dashboard.matching import FilterSet, matches_any, names_in
from mqtt_dashboard.dashboard.ring import FRAME_BYTES, FRAME_MESSAGES, START, Item, Position

BACKLOG_TOPICS: Final = 1000
BACKLOG_BYTES: Final = 512 * 1024


@dataclass(slots=True)
class Replay:
    """A frame of messages from before a subscription, waiting to be sent."""

    topic_filter: str
    items: list[Item]
    upto: Position
    gap: bool = False
    missing: int | None = None


@dataclass(slots=True)
class Resume:
    """A subscription that continues behind a position; nothing live is sent until it is served.

    ``upto`` is the last position that is not delivered live, None while that is not known.
    """

    topic_filter: str
    after: Position
    seen: FilterSet
    upto: Position | None


@dataclass(slots=True)
class Share:
    """What an audience has collected for all its members since the frame before."""

    items: list[Item]
    losses: Losses
    gap: bool

    @property
    def matched(self) -> int:
        """Return how many messages matched."""
        return len(self.items) + self.losses.conflated + self.losses.dropped

    def __bool__(self) -> bool:
        return bool(self.items) or bool(self.losses) or self.gap


@dataclass(frozen=True, slots=True)
class Account:
    """Where the messages that matched one viewer's filters are."""

    matched: int
    sent: int
    conflated: int
    dropped: int
    buffered: int


class Viewer:
    """One socket: its filters, what waits for it, and its account."""

    def __init__(self, sid: str) -> None:
        self.sid = sid
        self.filters: FilterSet = frozenset()
        self.credit = Credit()
        self.backlog = Backlog(BACKLOG_TOPICS, FRAME_MESSAGES, BACKLOG_BYTES)
        self.replays: deque[Replay] = deque()
        self.resuming: dict[str, Resume] = {}
        self.wants_replay: set[str] = set()
        self.skip: tuple[Position, float] | None = None
        self.gap = False
        self.matched = 0
        self.sent = 0
        self.lost = Losses()
        self.unreported = Losses()
        self.silent_since: float | None = None

    @property
    def behind(self) -> bool:
        """Tell whether something waits for this viewer alone."""
        return bool(self.replays or self.backlog or self.unreported or self.gap)

    @property
    def idle(self) -> bool:
        """Tell whether this viewer is in step and has credit to spare."""
        return not self.behind and (self.credit.left or 0) > 1

    def absorb(self, share: Share) -> Losses:
        """Buffer what the others are sent now; return what of this viewer's had to give way."""
        self.matched += share.matched
        self.gap = self.gap or share.gap
        for item in share.items:
            self.backlog.add(item)
        lost = self.backlog.take_losses()
        for losses in (share.losses, lost):
            self.lost.add(losses)
            self.unreported.add(losses)
        return lost

    def count(self, share: Share) -> None:
        """Account for what is sent to this viewer together with others."""
        self.matched += share.matched
        self.sent += len(share.items)
        self.lost.add(share.losses)

    def forget_unwanted(self) -> int:
        """Drop what waits but is not wanted any more; return how many."""
        wanted = {one: matches_any(self.filters, one) for one in self.backlog.topics()}
        lost = 0 if all(wanted.values()) else self.backlog.keep_only(wanted)
        self.lost.dropped += lost
        self.wants_replay &= self.filters
        for one in set(self.resuming) - self.filters:
            del self.resuming[one]
        self.replays = deque(one for one in self.replays if one.topic_filter in self.filters)
        return lost

    def account(self) -> Account:
        """Return the account, without what its audience has not sent yet."""
        return Account(
            self.matched, self.sent, self.lost.conflated, self.lost.dropped, len(self.backlog)
        )


@dataclass(eq=False)
class Audience:
    """Viewers with the same filters and pace: matched once, encoded once, sent together.

    Who joins while something is queued is a newcomer and collects on its own until the next frame.
    """

    filters: FilterSet
    interval_s: float
    viewers: dict[str, Viewer] = field(default_factory=dict)
    newcomers: dict[str, Viewer] = field(default_factory=dict)
    next_at: float = 0.0
    told: Position = START
    gap: bool = False
    pending: Backlog = field(init=False)

    def __post_init__(self) -> None:
        self.pending = Backlog(FRAME_MESSAGES, FRAME_MESSAGES, FRAME_BYTES, names_in(self.filters))

    def add(self, item: Item) -> None:
        """Queue a message for the next frame."""
        self.pending.add(item)

    def take(self) -> Share:
        """Return and forget what is queued."""
        share = Share(self.pending.take_all(), self.pending.take_losses(), self.gap)
        self.gap = False
        return share

    def peek(self) -> Share:
        """Return a copy of what is queued."""
        return Share(self.pending.items(), self.pending.losses.copy(), self.gap)

    @property
    def empty(self) -> bool:
        """Tell whether nobody is left."""
        return not self.viewers and not self.newcomers

    @property
    def quiet(self) -> bool:
        """Tell whether nothing is queued."""
        return not (len(self.pending) or self.pending.losses or self.gap)
