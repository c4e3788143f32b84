"""mosquitto's log lines as events: which client came, which went, and why.

Client ids and user names are chosen by strangers and may hold spaces, brackets and quotes, so every
pattern is anchored at the end of the line, where only the broker writes. mosquitto 2.0 and 2.1
word things differently; both are read whatever the version says.
"""

import re
from dataclasses import dataclass
from typing import Final

TOPIC_PREFIX: Final = "$SYS/broker/log/"

# 2.0 counts 3.1 and 3.1.1 as 1 and 2, 2.1 as 3 and 4: no number means two things.
_PROTOCOLS: Final = {"1": "3.1", "2": "3.1.1", "3": "3.1", "4": "3.1.1", "5": "5.0"}

_STAMP: Final = r"(?:[^ ]{1,40}: )?"
_CONNECTED: Final = re.compile(
    _STAMP + r"New (?:client|bridge) connected from (?P<address>\S+):(?P<port>\d{1,5}) as "
    r"(?P<id>.*) \(p(?P<protocol>\d), c(?P<clean>[01]), k(?P<keepalive>\d{1,5})"
    r"(?:, u'(?P<user>.*)')?\)\.",
    re.DOTALL,
)
_GONE_2_1: Final = re.compile(
    _STAMP + r"Client (?P<id>.*) \[(?P<address>\S+):(?P<port>\d{1,5})\] "
    r"disconnected(?:: (?P<reason>.+))?\.",
    re.DOTALL,
)
_GONE_2_0: Final = re.compile(
    _STAMP + r"Client (?P<id>.*) (?P<reason>"
    r"already connected, closing old connection|disconnected|closed its connection|"
    r"has exceeded timeout, disconnecting|disconnected, not authorised|"
    r"disconnected due to [^.]+|been disconnected by administrative action|"
    r"disconnected: [^.]+)\.",
    re.DOTALL,
)
_SUBSCRIBED: Final = re.compile(_STAMP + r"(?P<id>.*) (?P<qos>[012]) (?P<filter>\S.*)", re.DOTALL)

_PLAIN_REASONS: Final = {
    "already connected, closing old connection": "session taken over",
    "disconnected": "disconnected by the client",
    "closed its connection": "connection closed by client",
    "has exceeded timeout, disconnecting": "exceeded timeout",
    "disconnected, not authorised": "not authorised",
    "been disconnected by administrative action": "administrative action",
}


@dataclass(frozen=True)
class ClientConnected:
    """A client came."""

    client_id: str
    address: str
    port: int
    protocol: str | None
    clean_start: bool
    keepalive: int
    username: str | None


@dataclass(frozen=True)
class ClientDisconnected:
    """A client went; address and port are known from mosquitto 2.1.1 on."""

    client_id: str
    reason: str
    address: str | None = None
    port: int | None = None


@dataclass(frozen=True)
class ClientSubscribed:
    """A client subscribed."""

    client_id: str
    filter: str
    qos: int


Event = ClientConnected | ClientDisconnected | ClientSubscribed


def parse(topic: str, payload: bytes, version: str | None = None) -> Event | None:
    """Read one message of the log topics; None when it tells nothing about a client.

    ``version`` is the broker's version text; it only narrows what is tried.
    """
    if not topic.startswith(TOPIC_PREFIX) or len(payload) > 4096:
        return None
    line = payload.decode(errors="replace")
    kind = topic.removeprefix(TOPIC_PREFIX)
    if kind == "M/subscribe":
        found = _SUBSCRIBED.fullmatch(line)
        return found and ClientSubscribed(found["id"], found["filter"], int(found["qos"]))
    if kind not in {"N", "E"}:
        return None
    old = version is not None and " 2.0" in version
    return _connected(line) or (None if old else _gone_2_1(line)) or _gone_2_0(line)


def _connected(line: str) -> ClientConnected | None:
    found = _CONNECTED.fullmatch(line)
    if not found:
        return None
    return ClientConnected(
        client_id=found["id"],
        address=_bare(found["address"]),
        port=int(found["port"]),
        protocol=_PROTOCOLS.get(found["protocol"]),
        clean_start=found["clean"] == "1",
        keepalive=int(found["keepalive"]),
        username=found["user"],
    )


def _gone_2_1(line: str) -> ClientDisconnected | None:
    found = _GONE_2_1.fullmatch(line)
    if not found:
        return None
    reason = found["reason"] or _PLAIN_REASONS["disconnected"]
    return ClientDisconnected(found["id"], reason, _bare(found["address"]), int(found["port"]))


def _gone_2_0(line: str) -> ClientDisconnected | None:
    found = _GONE_2_0.fullmatch(line)
    if not found:
        return None
    said = found["reason"]
    for start in ("disconnected due to ", "disconnected: "):
        if said.startswith(start):
            return ClientDisconnected(found["id"], said.removeprefix(start))
    return ClientDisconnected(found["id"], _PLAIN_REASONS[said])


def _bare(address: str) -> str:
    return address.removeprefix("[").removesuffix("]")
