"""mosquitto's log lines as events: which client came, which went, what it subscribed to, and why.

mosquitto writes client ids and user names into its lines as they are, and both are chosen by
strangers: they may hold spaces, brackets, quotes, or the words of another line. So that no name can
make one client look like another:
- a message of the log topics is one line, whatever line breaks it holds;
- patterns are anchored at the end of the line, where only the broker writes, and the id is the
  longest text that fits, so words inside an id stay inside it;
- a line that can be read in two ways is not read at all (connections) or handed on with all its
  readings (subscriptions);
- the time stamp in front is not guessed, but learned from lines that hold no name;
- a line at mosquitto's limit of 1,000 bytes may have been cut and is not read.
"""

import re
from collections.abc import Callable
from typing import Final

from mqtt_dashboard.contract import topics
from mqtt_dashboard.errors import TopicError
from mqtt_dashboard.mqtt.client_events import (
    SAID_GOODBYE,
    TAKEN_OVER,
    ClientConnected,
    ClientGone,
    Connection,
    ConnectionOpened,
    Event,
    SessionEnded,
    Subscribed,
    Unsubscribed,
    Unusable,
)

TOPIC_PREFIX: Final = "$SYS/broker/log/"
LINE_LIMIT: Final = 999
MAX_READINGS: Final = 16

CUT: Final = "line cut by the broker"
AMBIGUOUS: Final = "line with several meanings"
NAMELESS: Final = "connection without a client id"
UNKNOWN_STAMP: Final = "time stamp not known yet"

# 2.0 counts 3.1 and 3.1.1 as 1 and 2, 2.1 as 3 and 4: no number means two things.
_PROTOCOLS: Final = {"1": "3.1", "2": "3.1.1", "3": "3.1", "4": "3.1.1", "5": "5.0"}
_PEER: Final = r"(?P<address>\S{1,200}):(?P<port>\d{1,5})"

_OPENED: Final = re.compile(rf"New connection from {_PEER} on port \d{{1,5}}\.")
_CONNECTED: Final = re.compile(
    rf"New (?:client|bridge) connected from {_PEER} as "
    r"(?P<id>.*) \(p(?P<protocol>\d), c(?P<clean>[01]), k(?P<keepalive>\d{1,5})"
    r"(?:, u'(?P<user>.*)')?\)\.",
    re.DOTALL,
)
_DETAILS: Final = re.compile(r" \(p\d, c[01], k\d{1,5}(?:, u'|\)\.)")
_GONE_2_1: Final = re.compile(
    rf"Client (?P<id>.*) \[{_PEER}\] disconnected"
    # The one wording without a full stop is told apart from what TLS lines end with.
    r"(?:: (?P<broken>bad socket read/write: (?:(?! negotiated )[^\[\]\n]){1,120})|"
    r"(?:: (?P<reason>[^\[\].\n]{1,120}))?\.)",
    re.DOTALL,
)
_GONE_2_0: Final = re.compile(
    r"Client (?P<id>.*) (?P<reason>"
    r"already connected, closing old connection|disconnected|closed its connection|"
    r"has exceeded timeout, disconnecting|disconnected, not authorised|"
    r"disconnected due to [a-zA-Z ]{1,60}(?:\([^()\n]{1,100}\))?|"
    r"been disconnected by administrative action|"
    r"disconnected: [A-Z][^.:\n]{1,60})\.",
    re.DOTALL,
)
_BROKEN: Final = re.compile(
    r"Bad socket read/write on client (?P<id>.*): (?P<reason>[^:\n]{1,120}?)\.?", re.DOTALL
)
_EXPIRED: Final = re.compile(r"Expiring client (?P<id>.*) due to timeout\.", re.DOTALL)
_QOS: Final = re.compile(r" ([012]) ")

_DEFAULT_STAMP: Final = re.compile(r"\d{9,11}: ")
_NO_SPACES: Final = re.compile(r"[^ ]{1,40}: ")
_STAMP_PARTS: Final = re.compile(r"\d+|[^\W\d_]+| +|.", re.DOTALL)
_LONGEST_STAMP: Final = 80

NOT_AUTHORISED: Final = "not authorised"
_PLAIN_REASONS: Final = {
    "already connected, closing old connection": TAKEN_OVER,
    "disconnected": SAID_GOODBYE,
    "closed its connection": "connection closed by client",
    "has exceeded timeout, disconnecting": "exceeded timeout",
    "disconnected, not authorised": NOT_AUTHORISED,
    "been disconnected by administrative action": "administrative action",
}
# What 2.0 writes in place of the id of somebody it had not let in yet.
_NAMELESS: Final = "<unknown>"


class BrokerLog:
    """Reads the log topics of one connection to one broker."""

    def __init__(self) -> None:
        self._stamp: re.Pattern[str] | None = None

    def read(self, topic: str, payload: bytes, version: str | None = None) -> Event | None:
        """Read one message; None when it is of no interest, `Unusable` when it tells nothing.

        ``version`` is the broker's version text; mosquitto 2.0 and 2.1 word things differently.
        """
        kind = topic.removeprefix(TOPIC_PREFIX)
        read = self._reader(kind)
        if read is None:
            return None
        if len(payload) >= LINE_LIMIT:
            raise Unusable(CUT)
        return read(payload.decode(errors="replace"), version)

    def _reader(self, kind: str) -> Callable[[str, str | None], Event | None] | None:
        if kind in {"N", "E"}:
            return self._notice
        if kind == "M/subscribe":
            return self._subscribed
        return self._unsubscribed if kind == "M/unsubscribe" else None

    def _notice(self, line: str, version: str | None) -> Event | None:
        if line.endswith(".") and "New c" in line[: _LONGEST_STAMP + 8]:
            event = self._opened(line)
            if event is not None:
                return event
        if (body := self._without_stamp(line, "New bridge ")) is not None:
            return _connected(body)
        if (body := self._without_stamp(line, "Client ")) is not None:
            return _gone(body, version)
        if (body := self._without_stamp(line, "Bad socket ")) is not None:
            found = _BROKEN.fullmatch(body)
            return found and ClientGone(_named(found["id"]), found["reason"].rstrip("."))
        if (body := self._without_stamp(line, "Expiring client ")) is not None:
            found = _EXPIRED.fullmatch(body)
            return found and SessionEnded(_named(found["id"]))
        return None

    def _opened(self, line: str) -> Event | None:
        """Read a line about a new connection, and learn from it what the time stamp looks like."""
        for start, read in (("New connection from ", _anonymous), ("New client ", _connected)):
            at = line.find(start, 0, _LONGEST_STAMP + len(start))
            if at < 0 or (at and not line[:at].endswith(": ")):
                continue
            event = read(line[at:])
            if event is not None:
                self._learn(line[:at])
                return event
        return None

    def _learn(self, stamp: str) -> None:
        if self._stamp is None or not self._stamp.fullmatch(stamp):
            self._stamp = _shape(stamp)

    def _without_stamp(self, line: str, start: str) -> str | None:
        """Return the line from ``start`` on, when nothing but a time stamp stands before it."""
        if line.startswith(start):
            return line
        found = (self._stamp or _NO_SPACES).match(line)
        if found and line.startswith(start, found.end()):
            return line[found.end() :]
        return None

    def _named_line(self, line: str) -> str:
        """Cut the time stamp off a line that begins with a name."""
        found = (self._stamp or _DEFAULT_STAMP).match(line)
        if not found:
            raise Unusable(UNKNOWN_STAMP)
        return line[found.end() :]

    def _subscribed(self, line: str, _version: str | None) -> Event | None:
        body = self._named_line(line)
        readings = []
        at = 0
        while found := _QOS.search(body, at):
            at = found.start() + 1
            name, taken = body[: found.start()], body[found.end() :]
            if name and _is_filter(taken):
                readings.append((name, int(found[1]), taken))
            if len(readings) > MAX_READINGS:
                raise Unusable(AMBIGUOUS)
        return Subscribed(tuple(readings)) if readings else None

    def _unsubscribed(self, line: str, _version: str | None) -> Event | None:
        body = self._named_line(line)
        readings = []
        at = 0
        while (at := body.find(" ", at)) >= 0:
            name, given_up = body[:at], body[at + 1 :]
            at += 1
            if name and _is_filter(given_up):
                readings.append((name, given_up))
            if len(readings) > MAX_READINGS:
                raise Unusable(AMBIGUOUS)
        return Unsubscribed(tuple(readings)) if readings else None


def _anonymous(body: str) -> Event | None:
    found = _OPENED.fullmatch(body)
    return found and ConnectionOpened(_peer(found))


def _connected(body: str) -> Event | None:
    found = _CONNECTED.fullmatch(body)
    if not found:
        return None
    if len(_DETAILS.findall(body, found.start("id"))) > 1:
        raise Unusable(AMBIGUOUS)
    return ClientConnected(
        client_id=found["id"],
        connection=_peer(found),
        protocol=_PROTOCOLS.get(found["protocol"]),
        clean_start=found["clean"] == "1",
        keepalive=int(found["keepalive"]),
        username=found["user"],
    )


def _gone(body: str, version: str | None) -> Event | None:
    old = version is not None and " 2.0" in version
    found = None if old else _GONE_2_1.fullmatch(body)
    if found:
        reason = found["broken"] or found["reason"] or SAID_GOODBYE
        # Without the version this may be an id of 2.0 that ends like an address.
        certain = version is not None
        return ClientGone(_named(found["id"]), reason.rstrip("."), _peer(found), certain)
    found = _GONE_2_0.fullmatch(body)
    if not found:
        return None
    said = found["reason"]
    for start in ("disconnected due to ", "disconnected: "):
        if said.startswith(start):
            return ClientGone(_named(found["id"]), said.removeprefix(start))
    reason = _PLAIN_REASONS[said]
    # 2.0 does not say which connection: it may be one that failed to take over the id.
    return ClientGone(_named(found["id"]), reason, certain=reason != NOT_AUTHORISED)


def _named(client_id: str) -> str:
    if client_id == _NAMELESS:
        raise Unusable(NAMELESS)
    return client_id


def _peer(found: re.Match[str]) -> Connection:
    address = found["address"].removeprefix("[").removesuffix("]")
    return Connection(address, int(found["port"]))


def _is_filter(text: str) -> bool:
    try:
        topics.check_filter(text)
    except TopicError:
        return False
    return True


def _shape(stamp: str) -> re.Pattern[str]:
    """Return a pattern for stamps of this form: digits, letters and blanks may differ in number."""
    parts = []
    end = ": " if stamp else ""  # and not one blank more: the next may belong to a name
    for part in _STAMP_PARTS.findall(stamp.removesuffix(end)):
        if part[0].isdigit():
            parts.append(r"\d+")
        elif part[0].isalpha():
            parts.append(r"[^\W\d_]+")
        else:
            parts.append(" +" if part[0] == " " else re.escape(part))
    return re.compile("".join([*parts, end]))
