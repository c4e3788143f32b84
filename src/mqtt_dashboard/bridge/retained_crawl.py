"""Asks for every retained message once more, branch by branch.

In portions so small that no queue limit of a broker cuts them. What was missing comes in as a
message, what is known is confirmed; when every branch was heard to its end, topics that were not
confirmed have lost their retained message unseen, and are no longer shown as retained.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.topic_index import TopicIndex
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.errors import DashboardError
from mqtt_dashboard.mqtt.client import Incoming

BRANCH_QUIET_S: Final = 0.3
BRANCH_MAX_S: Final = 10.0
MAX_BRANCHES: Final = 500
# The deepest level `TopicIndex.depth` tells of.
MAX_DEPTH: Final = 16
MAX_UNCONFIRMED: Final = 200_000

log = logs.get(__name__)


class Holder(Protocol):
    """The part of the reconciler that is needed here."""

    @property
    def settled(self) -> bool:
        """Whether live messages come for every filter."""

    @property
    def sees_everything(self) -> bool:
        """Whether every topic that does not begin with $ comes."""

    @property
    def answer(self) -> str | None:
        """The broker's answer for the borrowed filter: its error or "", None until it came."""

    def holds(self, topic_filter: str) -> bool:
        """Tell whether a filter is held anyway."""

    def identify_all(self, *, on: bool) -> None:
        """Give every filter an identifier, so that copies can be told apart."""

    def borrow(self, topic_filter: str) -> None:
        """Ask for what is retained below a filter once more."""

    def give_back(self) -> None:
        """Give the borrowed filter up."""


class RetainedCrawl:
    """One crawl; `turn` is run by one thread, `hears` by the link's."""

    def __init__(
        self, index: TopicIndex, holder: Holder, queued: Callable[[], int], clock: Clock
    ) -> None:
        self._index = index
        self._holder = holder
        self._queued = queued
        self._clock = clock
        self._confirmed: deque[str] = deque()
        self._branch: str | None = None
        self._since = 0.0
        self._answered = False
        self._heard_at = 0.0
        # Whether all that is retained was heard, so that the rest is gone.
        self._thorough = True
        levels = index.first_levels(MAX_BRANCHES)
        depth = index.depth()
        if depth >= MAX_DEPTH and len(levels) >= MAX_BRANCHES:
            self._thorough = False
        by_depth = ["/".join(["+"] * number) for number in range(1, depth + 1)]
        below = [f"{name}/#" for name in levels if not name.startswith("$")]
        self._branches = below + by_depth
        self.branches = len(self._branches)

    def begin(self, confirmed: Iterable[str]) -> None:
        """Start; some topics need no confirmation."""
        log.info("retained.crawl", branches=self.branches)
        self._index.begin_snapshot()
        self._index.confirm(confirmed)
        self._holder.identify_all(on=True)

    def hears(self, message: Incoming) -> bool:
        """Take a message that came for a branch; return whether it brings nothing new."""
        if not message.retain:
            return True  # a live one, which comes for the held filter too
        self._heard_at = self._clock.monotonic()
        if not self._index.is_retained(message.topic):
            return False
        if len(self._confirmed) < MAX_UNCONFIRMED:
            self._confirmed.append(message.topic)
        else:
            self._thorough = False
        return True

    def turn(self) -> bool:
        """Do what is due; return whether the crawl is over."""
        self._confirm()
        now = self._clock.monotonic()
        try:
            if self._branch is not None and not self._heard_out(now):
                return False
            if self._branch is not None:
                self._holder.give_back()
                self._branch = None
            if not self._holder.sees_everything:
                return self._end(thorough=False)
            # The held filters get identifiers first, so that copies can be told apart.
            if not self._holder.settled:
                return False
            if self._branches:
                self._ask(now)
                return False
        except DashboardError as error:
            log.info("retained.crawl_ended", reason=str(error))
            return self._end(thorough=False)
        # What was missing is in the index once it was written.
        return not self._queued() and self._end(thorough=self._thorough)

    def _ask(self, now: float) -> None:
        branch = self._branches.pop()
        if self._holder.holds(branch):
            self._thorough = False
            return
        self._branch, self._since, self._answered = branch, now, False
        self._holder.borrow(branch)

    def _heard_out(self, now: float) -> bool:
        """Tell whether nothing more comes for the present branch."""
        answer = self._holder.answer
        if answer:
            log.info("retained.branch_refused", branch=self._branch, reason=answer)
            self._thorough = False
            return True
        if answer is not None and not self._answered:
            self._answered, self._since = True, now
        quiet = now - max(self._heard_at, self._since) > BRANCH_QUIET_S
        if self._answered and quiet:
            return True
        if now - self._since < BRANCH_MAX_S:
            return False
        self._thorough = False
        return True

    def _confirm(self) -> None:
        topics = [self._confirmed.popleft() for _ in range(len(self._confirmed))]
        if topics:
            self._index.confirm(topics)

    def _end(self, *, thorough: bool) -> bool:
        self._confirm()
        gone = self._index.end_snapshot() if thorough else 0
        self._holder.identify_all(on=False)
        log.info("retained.crawled", thorough=thorough, no_longer_retained=gone)
        return True
