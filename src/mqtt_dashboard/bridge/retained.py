"""Whether the bridge knows every retained message of the broker, and what to do when not.

A broker never says that a snapshot is complete, and may cut it silently. So what came is compared
with the broker's own count; when messages are missing they are asked for again branch by branch,
in small portions no queue limit cuts. What is still missing then is said, with the likely reason.
"""

from collections.abc import Callable
from typing import Final, Protocol

from mqtt_dashboard import logs
from mqtt_dashboard.bridge.topic_index import TopicIndex
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.messages import RetainedCensus
from mqtt_dashboard.errors import DashboardError
from mqtt_dashboard.mqtt.client import Incoming, Session, Wanted

# What subscriptions of the crawl carry; filters' own identifiers come from their text.
CRAWL_IDENTIFIER: Final = 1
JUDGE_EVERY_S: Final = 2.0
# The broker's count may be one $SYS interval old (mosquitto: 10 s).
DOUBT_S: Final = 12.0
BRANCH_QUIET_S: Final = 0.3
BRANCH_MAX_S: Final = 10.0
MAX_BRANCHES: Final = 500
MAX_SYSTEM: Final = 20_000

log = logs.get(__name__)


class CrawlingLink(Protocol):
    """The part of a link that is needed here."""

    def subscribe(self, wanted: list[Wanted]) -> None:
        """Ask for filters."""

    def unsubscribe(self, filters: list[str]) -> None:
        """Give filters up."""


class Holder(Protocol):
    """The part of the reconciler that is needed here."""

    crawling: bool

    @property
    def settled(self) -> bool:
        """Whether live messages come for every filter."""

    def holds(self, topic_filter: str) -> bool:
        """Tell whether a filter is held anyway."""


class RetainedWatch:
    """Counts, judges and crawls; `turn` is run by one thread, the rest by the link's."""

    def __init__(
        self,
        index: TopicIndex,
        link: CrawlingLink,
        holder: Holder,
        broker_count: Callable[[], int | None],
        queued: Callable[[], int],
        clock: Clock,
        *,
        sees_everything: bool,
    ) -> None:
        self._index = index
        self._link = link
        self._holder = holder
        self._broker_count = broker_count
        self._queued = queued
        self._clock = clock
        self._sees_everything = sees_everything
        self._session: Session | None = None
        self._system: set[str] = set()
        self._counted = False
        self._judge_at = 0.0
        self._short_since: float | None = None
        self._branches: list[str] | None = None
        self._branch: str | None = None
        self._branch_since = 0.0
        self._heard_at = 0.0
        self._crawled = 0
        self._state: RetainedCensus | None = None

    @property
    def state(self) -> RetainedCensus | None:
        """The newest judgement; None without a session."""
        return self._state

    def opened(self, session: Session) -> None:
        """Begin to count: a session the broker did not keep brings the whole snapshot."""
        self._session = session
        self._system = set()
        self._counted, self._short_since = False, None
        self._branches = self._branch = None
        self._holder.crawling = False
        self._crawled = 0
        self._judge_at = self._clock.monotonic() + JUDGE_EVERY_S
        if not session.session_present:
            self._index.begin_snapshot()
        self._say("counting", "retained messages are coming in", None)

    def closed(self) -> None:
        """Forget the session."""
        self._session = None
        self._state = None

    def heard(self) -> None:
        """Note that a retained message came in just now."""
        self._heard_at = self._clock.monotonic()

    def system(self, message: Incoming) -> None:
        """Count a retained message below ``$``; the broker's count includes them."""
        if message.retain and message.payload and len(self._system) < MAX_SYSTEM:
            self._system.add(message.topic)

    def turn(self) -> None:
        """Do what is due; called a few times a second."""
        session, now = self._session, self._clock.monotonic()
        if session is None:
            return
        if self._branches is not None:
            self._crawl(now)
        elif now >= self._judge_at:
            self._judge_at = now + JUDGE_EVERY_S
            if not self._counted:
                self._counted = self._holder.settled and not self._queued()
                if self._counted and not session.session_present:
                    self._index.end_snapshot()
            if self._counted:
                self._judge(session, now)

    def _judge(self, session: Session, now: float) -> None:
        broker = self._broker_count()
        if broker is None:
            return self._say("unknown", "the broker gives no count of its own", None)
        if not self._sees_everything:
            return self._say("unknown", "MQTT_TOPICS watches only a part of the topics", broker)
        missing = broker - len(self._system) - self._index.retained
        if missing == 0:
            self._short_since = None
            return self._say("complete", "as many as the broker counts", broker)
        if self._short_since is None:
            self._short_since = now
        if now - self._short_since < DOUBT_S:
            # Counts of a moving broker differ for a while: its own is up to 10 s old.
            return self._say("counting", "compared with the broker's count", broker)
        if session.protocol == "5.0" and not self._crawled and not self._index.left_out:
            self._begin_crawl(now)
            return self._say("crawling", "asking again, branch by branch", broker)
        return self._say("short", self._why_short(session, missing), broker)

    def _why_short(self, session: Session, missing: int) -> str:
        if missing < 0:
            return "more are known than the broker counts: some expired or were cleared unseen"
        if self._index.left_out:
            return "the topic index is full (TOPIC_LIMIT or TOPIC_NAMES_BYTES)"
        if session.protocol != "5.0":
            return (
                "with MQTT 3.1.1 the broker's queue limit cuts the snapshot (max_queued_messages)"
            )
        return "the broker did not send them: its access rules may hide them from the bridge"

    def _begin_crawl(self, now: float) -> None:
        depths = self._index.depth()
        by_depth = ["/".join(["+"] * depth) for depth in range(1, depths + 1)]
        below = [f"{name}/#" for name in self._index.first_levels(MAX_BRANCHES)]
        self._branches = [one for one in below + by_depth if not self._holder.holds(one)]
        self._crawled = len(self._branches)
        self._holder.crawling = True
        self._branch, self._branch_since = None, now
        log.info("retained.crawl", branches=self._crawled)

    def _crawl(self, now: float) -> None:
        """Ask for one branch after the other; each ends when nothing has come for a moment."""
        if not self._holder.settled:
            return  # the held filters get identifiers first, so that copies can be told apart
        since = now - self._branch_since
        quiet = now - max(self._heard_at, self._branch_since) > BRANCH_QUIET_S
        if not quiet and since < BRANCH_MAX_S:
            return
        try:
            if self._branch is not None:
                self._link.unsubscribe([self._branch])
            self._branch = self._branches.pop() if self._branches else None
            if self._branch is not None:
                wanted = Wanted(
                    self._branch, 0, identifier=CRAWL_IDENTIFIER, retain_as_published=False
                )
                self._link.subscribe([wanted])
        except DashboardError as error:
            log.info("retained.crawl_ended", reason=str(error))
            self._branch = None
        self._branch_since = now
        if self._branch is None:
            self._branches = None
            self._holder.crawling = False
            self._judge_at = now + JUDGE_EVERY_S

    def _say(self, state: str, reason: str, broker: int | None) -> None:
        seen, system = self._index.retained, len(self._system)
        known = broker is not None and self._sees_everything
        self._state = RetainedCensus(
            state=state,  # type: ignore[arg-type]
            reason=reason,
            seen=seen,
            system=system,
            broker=broker,
            missing=broker - seen - system if known and broker is not None else None,
            crawled=self._crawled,
        )
