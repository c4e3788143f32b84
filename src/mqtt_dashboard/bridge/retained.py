"""Whether the bridge knows every retained message of the broker, and what to do when not.

A broker never says that a snapshot is complete, and may cut it silently. So what came is compared
with the broker's own count; when the two differ all is asked for again, see `retained_crawl`. What
is still missing then is said, with the likely reason.
"""

from collections.abc import Callable
from typing import Final

from mqtt_dashboard.bridge.retained_crawl import Holder, RetainedCrawl
from mqtt_dashboard.bridge.topic_index import TopicIndex
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract.messages import RetainedCensus
from mqtt_dashboard.contract.name_cache import NameCache
from mqtt_dashboard.mqtt.client import Incoming, Session

JUDGE_EVERY_S: Final = 2.0
# The broker's count may be one $SYS interval old (mosquitto: 10 s).
DOUBT_S: Final = 12.0
# Messages that expire at the broker do so unseen, again and again.
CRAWL_AGAIN_S: Final = 3600.0
MAX_SYSTEM: Final = 20_000

MORE_KNOWN: Final = "more are known than the broker counts: some expired or were cleared unseen"
NOT_SENT: Final = (
    "the broker did not send them: they lie below a first level that begins with $, or its access "
    "rules hide them from the bridge"
)
CUT: Final = "with MQTT 3.1.1 the broker's queue limit cuts the snapshot (max_queued_messages)"
INDEX_FULL: Final = "the topic index is full (TOPIC_LIMIT or TOPIC_NAMES_BYTES)"
ONLY_A_PART: Final = "MQTT_TOPICS or the broker let the bridge watch only a part of the topics"


class RetainedWatch:
    """Counts, judges and crawls; `turn` is run by one thread, the rest by the link's."""

    def __init__(
        self,
        index: TopicIndex,
        holder: Holder,
        broker_count: Callable[[], int | None],
        queued: Callable[[], int],
        clock: Clock,
    ) -> None:
        self._index = index
        self._holder = holder
        self._broker_count = broker_count
        self._queued = queued
        self._clock = clock
        self._session: Session | None = None
        # Hashes of names, which may be long; the names of those that are forwarded, too.
        self._system: set[int] = set()
        self._forwarded: NameCache[None] = NameCache()
        self._counted = False
        self._judge_at = 0.0
        self._differs_since: float | None = None
        self._crawl: RetainedCrawl | None = None
        self._crawled = 0
        self._crawled_at = float("-inf")
        self._state: RetainedCensus | None = None

    @property
    def state(self) -> RetainedCensus | None:
        """The newest judgement; None without a session."""
        return self._state

    def opened(self, session: Session) -> None:
        """Begin to count: a session the broker did not keep brings the whole snapshot."""
        self._session = session
        self._system = set()
        self._forwarded = NameCache()
        self._counted, self._differs_since = False, None
        self._crawl, self._crawled, self._crawled_at = None, 0, float("-inf")
        self._holder.identify_all(on=False)
        self._judge_at = self._clock.monotonic() + JUDGE_EVERY_S
        if not session.session_present:
            self._index.begin_snapshot()
        self._say("counting", "retained messages are coming in", None)

    def closed(self) -> None:
        """Forget the session."""
        self._session = None
        self._crawl = None
        self._state = None

    def asked_again(self, message: Incoming) -> bool:
        """Take a message that was asked for once more; return whether it brings nothing new."""
        crawl = self._crawl
        if crawl is not None:
            return crawl.hears(message)
        return not message.retain or self._index.is_retained(message.topic)

    def system(self, message: Incoming, *, forwarded: bool) -> None:
        """Count a retained message below ``$``; the broker's count includes them."""
        if not message.retain:
            return
        if not message.payload:
            self._system.discard(hash(message.topic))
        elif len(self._system) < MAX_SYSTEM:
            self._system.add(hash(message.topic))
        if forwarded:
            self._forwarded.keep(message.topic, None)

    def turn(self) -> None:
        """Do what is due; called a few times a second."""
        session, crawl, now = self._session, self._crawl, self._clock.monotonic()
        if session is None:
            return
        if crawl is not None:
            if crawl.turn():
                self._crawl = None
                self._judge_at = now + JUDGE_EVERY_S
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
            self._say("unknown", "the broker gives no count of its own", None)
        elif not self._holder.sees_everything:
            self._say("unknown", ONLY_A_PART, broker)
        else:
            self._compare(session, broker, now)

    def _compare(self, session: Session, broker: int, now: float) -> None:
        missing = self._missing(broker)
        if missing == 0:
            self._differs_since = None
            self._say("complete", "as many as the broker counts", broker)
            return
        if self._differs_since is None:
            self._differs_since = now
        if now - self._differs_since < DOUBT_S:
            # Counts of a moving broker differ for a while: its own is up to 10 s old.
            self._say("counting", "compared with the broker's count", broker)
        elif self._may_crawl(session, missing, now):
            self._begin_crawl(now, broker)
        else:
            state = "unknown" if missing < 0 else "short"
            self._say(state, self._why(session, missing), broker)

    def _missing(self, broker: int) -> int:
        return broker - len(self._system) - self._seen()

    def _seen(self) -> int:
        """Return how many user topics are known as retained; watched ``$`` topics are no such."""
        return self._index.retained - len(self._indexed_system())

    def _indexed_system(self) -> list[str]:
        return [name for name in list(self._forwarded) if self._index.is_retained(name)]

    def _may_crawl(self, session: Session, missing: int, now: float) -> bool:
        """Tell whether asking again can help: without identifiers live messages would double."""
        able = session.protocol == "5.0" and session.subscription_ids_available
        again = not self._crawled or (missing < 0 and now - self._crawled_at > CRAWL_AGAIN_S)
        return able and again and not self._index.left_out

    def _why(self, session: Session, missing: int) -> str:
        if missing < 0:
            return MORE_KNOWN
        if self._index.left_out:
            return INDEX_FULL
        return NOT_SENT if session.protocol == "5.0" else CUT

    def _begin_crawl(self, now: float, broker: int) -> None:
        crawl = RetainedCrawl(self._index, self._holder, self._queued, self._clock)
        self._crawled, self._crawled_at = crawl.branches, now
        self._crawl = crawl
        crawl.begin(self._indexed_system())
        self._say("crawling", "asking again, branch by branch", broker)

    def _say(self, state: str, reason: str, broker: int | None) -> None:
        known = broker is not None and self._holder.sees_everything
        self._state = RetainedCensus(
            state=state,  # type: ignore[arg-type]
            reason=reason,
            seen=self._seen(),
            system=len(self._system),
            broker=broker,
            missing=self._missing(broker) if known and broker is not None else None,
            crawled=self._crawled,
        )
