"""The topic index over HTTP: pages, search, one level of the tree, one topic."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

import flask

from mqtt_dashboard.bus.dashboard_topics import DashboardTopics
from mqtt_dashboard.bus.readable_topics import ReadableTopics
from mqtt_dashboard.bus.shares import Shares
from mqtt_dashboard.bus.topic_question import Question
from mqtt_dashboard.bus.topic_search import MOST_WORDS, Step, TopicPage
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import codec, topics
from mqtt_dashboard.contract.api import (
    LevelsReply,
    SearchIn,
    TopicInfo,
    TopicLevel,
    TopicsReply,
)
from mqtt_dashboard.contract.messages import Encoding
from mqtt_dashboard.contract.topic_entry import TopicEntry
from mqtt_dashboard.dashboard.auth.guard import current
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.queries import one_of, wanted_topic, whole_number
from mqtt_dashboard.dashboard.responses import BadQueryError, refuse, reply
from mqtt_dashboard.dashboard.routes.topic_messages import TopicMessages
from mqtt_dashboard.errors import FieldRefusedError, TopicError

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
MAX_SEARCH_CHARACTERS: Final = 200
# How long one request goes on looking when it finds little.
SEARCH_S: Final = 0.8
# Requests that look through the index at the same time: one visitor's, and everybody's. Each keeps
# Redis busy in pieces of a few milliseconds; what is live must find its place between them.
LOOKING_EACH: Final = 2
LOOKING: Final = 4
NEXT_IN: Final[dict[Step, SearchIn]] = {"begins": "names", "names": "names", "values": "values"}

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
        except FieldRefusedError as error:
            return refuse(400, "invalid", str(error), error.field)
        except UnicodeEncodeError:
            return refuse(400, "invalid", "the text is no valid UTF-8")

    return guarded


class TopicPages:
    """Answers from the index, with its age."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._clock = parts.clock
        self._turns = Shares(LOOKING_EACH, LOOKING)

    @property
    def _topics(self) -> DashboardTopics | ReadableTopics:
        """The index as the one who asks may read it."""
        return self._parts.store.topics_for(current().read)

    def page(self) -> flask.Response:
        """Answer ``GET /api/topics``."""
        limit = whole_number("limit", DEFAULT_LIMIT, MAX_LIMIT)
        question = _question()
        with self._turns.turn(current().visitor):
            found = self._search(question, flask.request.args.get("after"), limit)
            known = self._topics.count()
            candidates = self._topics.candidates(question)
        age_s, stale = self._parts.state.topics_age()
        return reply(
            TopicsReply(
                topics=[info(entry, self._clock) for entry in found.entries],
                count=known,
                next=found.last,
                limit=limit,
                left_out=self._left_out(),
                age_s=age_s,
                stale=stale,
                looked_at=found.looked_at,
                looked_at_values=found.looked_at_values,
                candidates=candidates,
                next_in=None if found.step is None else NEXT_IN[found.step],
            )
        )

    def levels(self) -> flask.Response:
        """Answer ``GET /api/topics/levels``."""
        query, limit = flask.request.args, whole_number("limit", DEFAULT_LIMIT, MAX_LIMIT)
        parent = query.get("parent")
        with self._turns.turn(current().visitor):
            page = self._topics.level(parent, query.get("after"), limit)
            known = self._topics.count()
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
                count=known,
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

    def _search(self, question: Question, after: str | None, limit: int) -> TopicPage:
        """Look until the page is full, nothing is left, or it has taken long enough.

        A step of the search that found something ends it, too: what is likeliest comes first.
        """
        found: list[TopicEntry] = []
        readable = self._topics
        looked_at = looked_at_values = 0
        give_up = time.monotonic() + SEARCH_S
        while True:
            page = readable.search(question, after, limit - len(found))
            self._parts.counters.add("unreadable", "topic_index", page.unreadable)
            found += page.entries
            looked_at += page.looked_at
            looked_at_values += page.looked_at_values
            after = page.last
            enough = len(found) >= limit or (page.between and bool(found))
            if after is None or enough or time.monotonic() > give_up:
                return replace(
                    page, entries=found, looked_at=looked_at, looked_at_values=looked_at_values
                )

    def _left_out(self) -> int | None:
        update = self._parts.state.topics
        return None if update is None else update.document.left_out


def info(entry: TopicEntry, clock: Clock) -> TopicInfo:
    """Return an entry as the API shows it; its rate is lowered by the silence since."""
    text, encoding = _text(entry)
    silence = clock.now() - entry.last_seen
    rate = entry.rate or None
    if rate is not None and silence > 0:
        rate = min(rate, 1 / silence)
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
        usual_gap_s=1 / entry.rate if entry.rate else None,
    )


def _question() -> Question:
    query = flask.request.args
    wanted, search = query.get("filter") or None, query.get("search", "")
    if wanted is not None:
        topics.check_filter(wanted)
    if len(search) > MAX_SEARCH_CHARACTERS:
        raise BadQueryError(f"search for at most {MAX_SEARCH_CHARACTERS} characters", "search")
    words = tuple(dict.fromkeys(search.split()))
    if len(words) > MOST_WORDS:
        raise BadQueryError(f"search for at most {MOST_WORDS} words", "search")
    return Question(
        words=words,
        topic_filter=wanted,
        prefix=query.get("prefix", ""),
        in_values=one_of("values", ("0", "1")) == "1",
        text=search.strip(),
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
