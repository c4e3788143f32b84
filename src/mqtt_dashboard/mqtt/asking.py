"""Subscriptions on their way: which SUBSCRIBE and UNSUBSCRIBE packets wait for an answer.

Every filter asked for is answered at `Listener.on_granted` once: by the broker's code, by what the
broker said at CONNACK, or by a time-out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeVar

from mqtt_dashboard.contract.topics import check_filter, split_shared
from mqtt_dashboard.errors import TopicError
from mqtt_dashboard.logs import get
from mqtt_dashboard.mqtt import reasons
from mqtt_dashboard.mqtt.client import Session, Wanted

ANSWER_SECONDS: Final = 10.0
_FILTERS_PER_PACKET: Final = 50

_log = get(__name__)

Entry = TypeVar("Entry")
Granted = Callable[[str, int | None, str | None], None]


@dataclass
class _Asked:
    filters: list[str]
    until: float
    subscribing: bool


class Asking:
    """Belongs to the connection's thread.

    ``subscribe`` and ``unsubscribe`` send one packet and return its id, None when none is free;
    ``finished`` takes an id back.
    """

    def __init__(
        self,
        subscribe: Callable[[list[Wanted]], int | None],
        unsubscribe: Callable[[list[str]], int | None],
        finished: Callable[[int], None],
        granted: Granted,
    ) -> None:
        self.session: Session | None = None
        self.max_packet_size: int | None = None
        self._subscribe = subscribe
        self._unsubscribe = unsubscribe
        self._finished = finished
        self._granted = granted
        self._open: dict[int, _Asked] = {}
        self._paused = False

    def pause(self, now: float, *, paused: bool) -> None:
        """Wait for no answer while nobody listens; afterwards the broker has its time anew."""
        self._paused = paused
        for asked in self._open.values():
            asked.until = max(asked.until, now + ANSWER_SECONDS)

    def subscribe(self, wanted: list[Wanted], now: float) -> None:
        """Ask for filters; those the broker cannot take are answered at once."""
        fitting = [entry for entry in wanted if self._fits(entry.filter)]
        # A packet can bear one subscription identifier: filters with different ones travel apart.
        for part in _same_identifier(fitting):
            filters = [entry.filter for entry in part]
            packet_id = self._subscribe(part)
            if packet_id is None:
                self._refuse(filters, "no packet id is free")
            else:
                self._open[packet_id] = _Asked(filters, now + ANSWER_SECONDS, subscribing=True)

    def unsubscribe(self, filters: list[str], now: float) -> None:
        """Give filters up."""
        for part in _chunks(filters):
            packet_id = self._unsubscribe(part)
            if packet_id is None:
                _log.warning("mqtt.unsubscribe_refused", reason="no packet id is free")
            else:
                self._open[packet_id] = _Asked(part, now + ANSWER_SECONDS, subscribing=False)

    def answered(
        self, packet_id: int, codes: list[int] | None, text: str | None, *, subscribing: bool
    ) -> None:
        """Take a SUBACK or UNSUBACK; the latter has no codes at MQTT 3.1.1."""
        asked = self._open.get(packet_id)
        if asked is None or asked.subscribing is not subscribing:
            _log.warning("mqtt.unexpected_answer", packet_id=packet_id, subscribing=subscribing)
            return
        del self._open[packet_id]
        self._finished(packet_id)
        if codes is None:
            return
        if len(codes) != len(asked.filters):
            told = f"the broker answered {len(asked.filters)} filters with {len(codes)} codes"
            self._give_up(asked, told)
            return
        for topic_filter, code in zip(asked.filters, codes, strict=True):
            if not subscribing:
                if code >= 0x80:
                    _log.warning("mqtt.unsubscribe_refused", reason=reasons.words(code, text))
            elif code >= 0x80:
                self._granted(topic_filter, None, reasons.words(code, text))
            else:
                self._granted(topic_filter, code, None)

    def expire(self, now: float) -> None:
        """Report what the broker left unanswered."""
        if self._paused:
            return
        late = [packet_id for packet_id, asked in self._open.items() if asked.until <= now]
        for packet_id in late:
            # The id stays taken: the answer may still come.
            told = f"the broker did not answer within {ANSWER_SECONDS:g} s"
            self._give_up(self._open.pop(packet_id), told)

    def next_deadline(self) -> float | None:
        """Return when `expire` has something to do next."""
        if self._paused:
            return None
        return min((asked.until for asked in self._open.values()), default=None)

    def _fits(self, topic_filter: str) -> bool:
        session = self.session
        problem = _refused_locally(
            topic_filter,
            wildcards=session is None or session.wildcards_available,
            shared=session is None or session.shared_available,
        )
        largest = self.max_packet_size
        if problem is None and largest and len(topic_filter.encode()) + 16 > largest:
            problem = f"the filter is too long for the broker: at most {largest} bytes a packet"
        if problem is not None:
            self._granted(topic_filter, None, problem)
        return problem is None

    def _give_up(self, asked: _Asked, told: str) -> None:
        if asked.subscribing:
            self._refuse(asked.filters, told)
        else:
            _log.warning("mqtt.unsubscribe_unanswered", reason=told)

    def _refuse(self, filters: list[str], reason: str) -> None:
        for topic_filter in filters:
            self._granted(topic_filter, None, reason)


def _same_identifier(wanted: list[Wanted]) -> list[list[Wanted]]:
    groups: dict[int, list[Wanted]] = {}
    for entry in wanted:
        groups.setdefault(entry.identifier, []).append(entry)
    return [part for group in groups.values() for part in _chunks(group)]


def _chunks(entries: list[Entry]) -> list[list[Entry]]:
    rest = iter(entries)
    chunks = []
    while chunk := list(islice(rest, _FILTERS_PER_PACKET)):
        chunks.append(chunk)
    return chunks


def _refused_locally(topic_filter: str, *, wildcards: bool, shared: bool) -> str | None:
    """Say why the broker would refuse a filter by what it told at CONNACK."""
    try:
        group, inner = split_shared(check_filter(topic_filter))
    except TopicError as error:
        return str(error)
    if group is not None and not shared:
        return "the broker does not support shared subscriptions"
    if not wildcards and ("+" in inner or "#" in inner):
        return "the broker does not support wildcards in filters"
    return None
