"""Pages of the topic index, by prefix or by MQTT filter."""

import itertools
from typing import Final

import flask

from mqtt_dashboard.bus.dashboard_store import TopicPage
from mqtt_dashboard.contract import codec, topics
from mqtt_dashboard.contract.api import TopicInfo, TopicsReply
from mqtt_dashboard.contract.messages import Encoding, TopicEntry
from mqtt_dashboard.dashboard.parts import Parts
from mqtt_dashboard.dashboard.responses import refuse, reply
from mqtt_dashboard.errors import BusError, TopicError

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
SCAN_STEP: Final = 1000
SCAN_LIMIT: Final = 20_000


def blueprint(parts: Parts) -> flask.Blueprint:
    """Return the routes."""
    routes = flask.Blueprint("topics", __name__)

    @routes.get("/api/topics")
    def page() -> flask.Response:
        query = flask.request.args
        limit = query.get("limit", default=str(DEFAULT_LIMIT))
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:8]) <= MAX_LIMIT):
            return refuse(400, "invalid", f"limit must be 1 to {MAX_LIMIT}", "limit")
        wanted = query.get("filter") or None
        try:
            if wanted is not None:
                topics.check_filter(wanted)
            return reply(
                _page(parts, query.get("after"), query.get("prefix", ""), wanted, int(limit))
            )
        except TopicError as error:
            return refuse(400, "invalid", str(error), "filter")
        except UnicodeEncodeError:
            return refuse(400, "invalid", "after and prefix must be valid UTF-8")
        except BusError as error:
            return refuse(503, "redis_unavailable", error.reason)

    return routes


def _page(
    parts: Parts, after: str | None, prefix: str, wanted: str | None, limit: int
) -> TopicsReply:
    if wanted is None:
        page = parts.store.topic_page(after=after, prefix=prefix, limit=limit)
        found, last = page.entries, page.last
    else:
        page, found, last = _scan(parts, after, prefix, wanted, limit)
    parts.counters.add("unreadable", "topic_index", page.unreadable)
    age_s, stale = parts.state.topics_age()
    update = parts.state.topics
    return TopicsReply(
        topics=[_info(entry) for entry in found],
        count=page.count,
        next=last,
        limit=limit,
        left_out=None if update is None else update.document.left_out,
        age_s=age_s,
        stale=stale,
    )


def _scan(
    parts: Parts, after: str | None, prefix: str, wanted: str, limit: int
) -> tuple[TopicPage, list[TopicEntry], str | None]:
    """Look through a bounded number of names; the page may be short, ``next`` goes on."""
    found: list[TopicEntry] = []
    fixed = _fixed_part(wanted)
    start = fixed if fixed.startswith(prefix) else prefix
    for _ in range(SCAN_LIMIT // SCAN_STEP):
        page = parts.store.topic_page(after=after, prefix=start, limit=SCAN_STEP)
        matching = [one for one in page.entries if topics.matches(wanted, one.topic)]
        if len(found) + len(matching) > limit:
            found += matching[: limit - len(found)]
            return page, found, found[-1].topic
        found += matching
        after = page.last
        if after is None or len(found) == limit:
            break
    return page, found, after


def _fixed_part(wanted: str) -> str:
    """Return what every matching topic begins with; `a/#` matches `a` too."""
    levels = wanted.split("/")
    fixed = list(itertools.takewhile(lambda level: level not in {"+", "#"}, levels))
    text = "/".join(fixed)
    return f"{text}/" if len(fixed) < len(levels) and levels[len(fixed)] == "+" and fixed else text


def _info(entry: TopicEntry) -> TopicInfo:
    text, encoding = _text(entry)
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
        rate=entry.rate,
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
