"""The messages of one topic over HTTP: those the log still holds, one of them whole, its bytes."""

import re
from typing import Final

import flask

from mqtt_dashboard.bus.topic_history import Cursor, Found
from mqtt_dashboard.contract import codec
from mqtt_dashboard.contract.api import HistoryReply
from mqtt_dashboard.contract.policy import FRESH
from mqtt_dashboard.contract.topic_entry import TopicEntry
from mqtt_dashboard.contract.topic_routes import MOST_NUMBER
from mqtt_dashboard.dashboard.auth.guard import current
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.queries import wanted_topic, whole_number
from mqtt_dashboard.dashboard.responses import BadQueryError, refuse, reply

HISTORY_LIMIT: Final = 50
MAX_HISTORY: Final = 500
_CURSOR: Final = re.compile(r"(\d{1,20}-\d{1,20})\.(\d{1,19})", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,16}", re.ASCII)


class TopicMessages:
    """Answers from the message log and, for the last value, from the index."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._log = parts.store.topic_history

    def history(self) -> flask.Response:
        """Answer ``GET /api/topics/history``."""
        topic, limit = wanted_topic(), whole_number("limit", HISTORY_LIMIT, MAX_HISTORY)
        # Of a hidden topic there is as much as of one that no message can have.
        name = topic if current().read.allows(topic) else FRESH
        history = self._log.read(name, limit, _cursor())
        self._parts.counters.add("unreadable", "history", history.unreadable)
        cut_at = self._parts.settings.frame_payload_limit
        cursor = history.cursor
        return reply(
            HistoryReply(
                topic=topic,
                messages=[
                    codec.to_document(one.message, epoch=one.epoch, seq=one.seq, limit=cut_at)
                    for one in history.found
                ],
                limit=limit,
                looked_at=history.entries,
                looked_at_bytes=history.bytes,
                back_to=history.back_to,
                cut=history.cut,
                next=None if cursor is None else f"{cursor.position}.{cursor.seq}",
            )
        )

    def message(self) -> flask.Response:
        """Answer ``GET /api/topics/message``: one message with all of its payload."""
        topic, number = wanted_topic(), _number()
        if number is not None:
            found = self._numbered(topic, number)
        else:
            entry = self._entry(topic)
            if entry is None:
                return _unknown()
            found = self._log.newest(topic, entry.last_seen)
        if found is None:
            return _gone()
        return reply(codec.to_document(found.message, epoch=found.epoch, seq=found.seq))

    def payload(self) -> flask.Response:
        """Answer ``GET /api/topics/payload``: as a download, so that no browser renders it."""
        topic, number = wanted_topic(), _number()
        if number is not None:
            found = self._numbered(topic, number)
            return _gone() if found is None else _download(found.message.payload)
        entry = self._entry(topic)
        if entry is None:
            return _unknown()
        if len(entry.payload) == entry.size:
            return _download(entry.payload)
        found = self._log.newest(topic, entry.last_seen)
        if found is None:
            return _download(entry.payload, cut=True)
        return _download(found.message.payload)

    def _entry(self, topic: str) -> TopicEntry | None:
        return self._parts.store.topics_for(current().read).one(topic)

    def _numbered(self, topic: str, number: tuple[int, int]) -> Found | None:
        return self._log.message(topic, *number) if current().read.allows(topic) else None


def _download(payload: bytes, *, cut: bool = False) -> flask.Response:
    answer = flask.Response(payload, mimetype="application/octet-stream")
    answer.headers["Content-Disposition"] = 'attachment; filename="payload.bin"'
    answer.headers["X-Truncated"] = "1" if cut else "0"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _unknown() -> flask.Response:
    return refuse(404, "not_found", "no message was seen on this topic", "topic")


def _gone() -> flask.Response:
    return refuse(404, "not_in_log", "the message log does not hold this message any more")


def _number() -> tuple[int, int] | None:
    """Return epoch and number of the wanted message; None when neither is given."""
    given = {name: flask.request.args.get(name) for name in ("epoch", "seq")}
    if all(text is None for text in given.values()):
        return None
    for name, text in given.items():
        if text is None or not _NUMBER.fullmatch(text) or int(text) > MOST_NUMBER:
            raise BadQueryError("epoch and seq must be the numbers of a message", name)
    return int(given["epoch"] or 0), int(given["seq"] or 0)


def _cursor() -> Cursor | None:
    text = flask.request.args.get("before")
    if text is None:
        return None
    match = _CURSOR.fullmatch(text)
    parts = [] if match is None else [int(one) for one in match[1].split("-")]
    # Nothing is before 0-0, and Redis takes that for an error.
    if match is None or not any(parts) or any(one >= 2**64 for one in parts):
        raise BadQueryError("before must be `next` of the page before", "before")
    return Cursor(match[1], int(match[2]))
