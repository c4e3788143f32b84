"""The topic index over HTTP: pages, search, one level of the tree, one topic."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

import flask

from mqtt_dashboard.bus.dashboard_topics import DashboardTopics, Question
from mqtt_dashboard.bus.readable_topics import ReadableTopics
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import codec, topics
from mqtt_dashboard.contract.api import (
    LevelsReply,
    TopicInfo,
    TopicLevel,
    TopicsReply,
)
from mqtt_dashboard.contract.messages import Encoding, TopicEntry
from mqtt_dashboard.dashboard.auth.guard import current
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.queries import one_of, wanted_topic, whole_number
from mqtt_dashboard.dashboard.responses import BadQueryError, refuse, reply
from mqtt_dashboard.dashboard.routes.topic_messages import TopicMessages
from mqtt_dashboard.errors import TopicError

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
MAX_SEARCH_CHARACTERS: Final = 200
# How long one request goes on looking when it finds little.
SEARCH_S: Final = 0.8

Answer = Callable[[], flask.Response]
AnswerT = TypeVar("AnswerT", bound=Answer)


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("topics", __name__)
    pages, messages = TopicPages(parts), TopicMessages(parts)

    def route(path: str, answer: Answer) -> None:
        routes.add_url_rule(path, answer.__name__, _careful(answer), methods=["GET"])

    route("/api/topics", pages.page)
    route("/api/topics/levels", pages.levels)
    route("/api/topics/one", pages.one)
    route("/api/topics/history", messages.history)
    route("/api/topics/message", messages.message)
    route("/api/topics/payload", messages.payload)
    return routes


def _careful(answer: Answer) -> Answer:
    """Turn what can go wrong in every route of this file into a refusal."""

    def guarded() -> flask.Response:
        try:
            return answer()
        except TopicError as error:
            return refuse(400, "invalid", str(error), "filter")
        except UnicodeEncodeError:
            return refuse(400, "invalid", "the text is no valid UTF-8")

    return guarded


class TopicPages:
    """Answers from the index, with its age."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._clock = parts.clock

    @property
    def _topics(self) -> DashboardTopics | ReadableTopics:
        """The index as the one who asks may read it."""
        return self._parts.store.topics_for(current().read)

    def page(self) -> flask.Response:
        """Answer ``GET /api/topics``."""
        limit = whole_number("limit", DEFAULT_LIMIT, MAX_LIMIT)
        question = _question()
        entries, last, looked_at = self._search(question, flask.request.args.get("after"), limit)
        age_s, stale = self._parts.state.topics_age()
        return reply(
            TopicsReply(
                topics=[info(entry, self._clock) for entry in entries],
                count=self._topics.count(),
                next=last,
                limit=limit,
                left_out=self._left_out(),
                age_s=age_s,
                stale=stale,
                looked_at=looked_at,
                candidates=self._topics.candidates(question),
            )
        )

    def levels(self) -> flask.Response:
        """Answer ``GET /api/topics/levels``."""
        query, limit = flask.request.args, whole_number("limit", DEFAULT_LIMIT, MAX_LIMIT)
        parent = query.get("parent")
        page = self._topics.level(parent, query.get("after"), limit)
        age_s, stale = self._parts.state.topics_age()
        children = [
            TopicLevel(
                name=child.name,
                topic=child.topic,
                topics=child.topics,
                info=None if child.entry is None else info(child.entry, self._clock),
            )
            for child in page.children
        ]
        return reply(
            LevelsReply(
                parent=parent,
                children=children,
                count=self._topics.count(),
                next=children[-1].name if page.more else None,
                limit=limit,
                left_out=self._left_out(),
                age_s=age_s,
                stale=stale,
            )
        )

    def one(self) -> flask.Response:
        """Answer ``GET /api/topics/one``."""
        entry = self._topics.one(wanted_topic())
        if entry is None:
            return refuse(404, "not_found", "no message was seen on this topic", "topic")
        return reply(info(entry, self._clock))

    def _search(
        self, question: Question, after: str | None, limit: int
    ) -> tuple[list[TopicEntry], str | None, int]:
        """Look until the page is full, the names are over, or it has taken long enough.

        Returns the entries, where to go on, and how many names were looked at.
        """
        found: list[TopicEntry] = []
        readable, looked_at = self._topics, 0
        give_up = time.monotonic() + SEARCH_S
        while True:
            page = readable.search(question, after, limit - len(found))
            self._parts.counters.add("unreadable", "topic_index", page.unreadable)
            found += page.entries
            looked_at += page.looked_at
            after = page.last
            if after is None or len(found) >= limit or time.monotonic() > give_up:
                return found, after, looked_at

    def _left_out(self) -> int | None:
        update = self._parts.state.topics
        return None if update is None else update.document.left_out


def info(entry: TopicEntry, clock: Clock) -> TopicInfo:
    """Return an entry as the API shows it; its rate is lowered by the silence since."""
    text, encoding = _text(entry)
    silence = clock.now() - entry.last_seen
    rate = min(entry.rate, 1 / silence) if silence > 0 else entry.rate
    return TopicInfo(
        topic=entry.topic,
        message_count=entry.message_count,
        last_payload=text,
        encoding=encoding,
        size=entry.size,
        truncated=len(entry.payload) < entry.size,
        last_qos=entry.qos,
        last_retained=entry.retained,
        first_seen=entry.first_seen,
        last_seen=entry.last_seen,
        rate=rate,
        usual_gap_s=1 / entry.rate if entry.rate > 0 else None,
    )


def _question() -> Question:
    query = flask.request.args
    wanted, search = query.get("filter") or None, query.get("search", "")
    if wanted is not None:
        topics.check_filter(wanted)
    if len(search) > MAX_SEARCH_CHARACTERS:
        raise BadQueryError(f"search for at most {MAX_SEARCH_CHARACTERS} characters", "search")
    return Question(
        words=tuple(search.split()),
        topic_filter=wanted,
        prefix=query.get("prefix", ""),
        in_values=one_of("values", ("0", "1")) == "1",
    )


def _text(entry: TopicEntry) -> tuple[str, Encoding]:
    text, encoding = codec.payload_to_text(entry.payload)
    if encoding == "base64" and len(entry.payload) < entry.size:
        # The index may have cut a character in two; without its pieces this is text after all.
        for end in range(1, min(4, len(entry.payload))):
            shorter, kind = codec.payload_to_text(entry.payload[:-end])
            if kind == "utf8":
                return shorter, kind
    return text, encoding
