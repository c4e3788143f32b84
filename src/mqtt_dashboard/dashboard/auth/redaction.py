"""What is left out of documents that go to somebody who may not read every topic.

Hidden topics behave like unknown ones: no name, no value, no count of them is shown. Aggregated
statistics of the broker are for everybody.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

import msgspec
from msgspec import Struct

from mqtt_dashboard.contract import codec, events
from mqtt_dashboard.contract.api import BrokerStatusReply, ClientsReply
from mqtt_dashboard.contract.messages import ClientInfo, ClientsUpdate, TopicsUpdate
from mqtt_dashboard.contract.policy import Grant, Role
from mqtt_dashboard.contract.system import SystemReply
from mqtt_dashboard.dashboard.auth.principal import Principal
from mqtt_dashboard.dashboard.counters import Counters

ClientsT = TypeVar("ClientsT", ClientsReply, ClientsUpdate)

OPERATOR: Final[Role] = "operator"
ACCOUNTS_HIDDEN: Final = "the broker's accounts are shown to operators"


def status(reply: BrokerStatusReply, grant: Grant) -> BrokerStatusReply:
    """Return a status that names only filters with something to read in them."""
    if grant.unrestricted:
        return reply
    held = [one for one in reply.bridge.subscriptions if grant.touches(one.filter)]
    bridge = msgspec.structs.replace(reply.bridge, subscriptions=held)
    return msgspec.structs.replace(reply, bridge=bridge)


def clients(document: ClientsT, who: Principal) -> ClientsT:
    """Return the clients; of what they subscribe to, only what may be read.

    The broker's accounts with their roles and groups are for whoever operates it.
    """
    shown = msgspec.structs.replace(document, clients=_clients(document.clients, who.read))
    if who.has_role(OPERATOR):
        return shown
    return msgspec.structs.replace(
        shown, accounts=None, accounts_total=None, accounts_hint=ACCOUNTS_HIDDEN
    )


def system(reply: SystemReply, grant: Grant) -> SystemReply:
    """Return the system; how many topics there are is unknown to who may not read all."""
    if grant.unrestricted or reply.redis is None:
        return reply
    redis = msgspec.structs.replace(reply.redis, topics=None)
    return msgspec.structs.replace(reply, redis=redis)


def topics_update(update: TopicsUpdate, grant: Grant) -> TopicsUpdate:
    """Return the changes among readable topics; counts of all topics are unknown to others."""
    if grant.unrestricted:
        return update
    changed = [one for one in update.changed if grant.allows(one.topic)]
    return msgspec.structs.replace(
        update,
        changed=changed,
        changed_count=len(changed),
        count=None,
        new=None,
        newest=[one for one in update.newest if grant.allows(one.topic)],
        silent=[one for one in update.silent if grant.allows(one.topic)],
        silent_count=None,
    )


def _clients(known: list[ClientInfo], grant: Grant) -> list[ClientInfo]:
    return known if grant.unrestricted else [_client(one, grant) for one in known]


def _client(client: ClientInfo, grant: Grant) -> ClientInfo:
    if not client.subscriptions:
        return client
    shown = [one for one in client.subscriptions if grant.touches(one.filter)]
    hidden = len(client.subscriptions) - len(shown)
    return msgspec.structs.replace(
        client,
        subscriptions=shown,
        subscriptions_left_out=client.subscriptions_left_out + hidden,
        subscriptions_complete=client.subscriptions_complete and not hidden,
    )


class _TopicOnly(Struct):
    topic: str


class _FrameTopics(Struct):
    messages: list[_TopicOnly]


class Outlet(Protocol):
    """The sockets behind this one."""

    def send(self, sids: Sequence[str], event: str, document: bytes) -> None:
        """Queue one event, already in JSON, for some viewers."""

    def unread(self, sid: str) -> int:
        """Return how many packets wait in a viewer's queue."""

    def cut(self, sid: str) -> None:
        """Close a viewer's connection at once."""


class RedactingOutlet:
    """The last door before the sockets: everybody gets only what that one may read.

    Frames were matched by filters that were checked; here every topic in them is checked once
    more, so a mistake anywhere before is counted instead of shown.
    """

    def __init__(
        self, inner: Outlet, reader: Callable[[str], Principal | None], counters: Counters
    ) -> None:
        self._inner = inner
        self._reader = reader
        self._counters = counters

    def send(self, sids: Sequence[str], event: str, document: bytes) -> None:
        """Queue one event, with what each viewer may not read left out."""
        if event == events.COMMAND_RESULT:
            self._send_result(sids, document)
            return
        groups: dict[tuple[Grant, Role], tuple[Principal, list[str]]] = {}
        for sid in sids:
            who = self._reader(sid)
            if who is not None:
                groups.setdefault((who.read, who.role), (who, []))[1].append(sid)
        for who, members in groups.values():
            shown = self._shown(event, document, who)
            if shown is not None:
                self._inner.send(members, event, shown)

    def _send_result(self, sids: Sequence[str], document: bytes) -> None:
        topic = msgspec.json.decode(document, type=_TopicOnly).topic
        readers = ((sid, self._reader(sid)) for sid in sids)
        seeing = [sid for sid, who in readers if who is not None and who.sees_command(topic)]
        if seeing:
            self._inner.send(seeing, events.COMMAND_RESULT, document)

    def unread(self, sid: str) -> int:
        """Return how many packets wait in a viewer's queue."""
        return self._inner.unread(sid)

    def cut(self, sid: str) -> None:
        """Close a viewer's connection at once."""
        self._inner.cut(sid)

    def _shown(self, event: str, document: bytes, who: Principal) -> bytes | None:
        if event == events.CLIENTS_UPDATE and not (
            who.read.unrestricted and who.has_role(OPERATOR)
        ):
            return codec.encode(clients(codec.decode(document, ClientsUpdate), who))
        if who.read.unrestricted:
            return document
        redact = _REDACTED.get(event)
        if redact is not None:
            return redact(document, who.read)
        if event == events.MQTT_MESSAGES:
            frame = msgspec.json.decode(document, type=_FrameTopics)
            if not all(who.read.allows(one.topic) for one in frame.messages):
                self._counters.add("viewer_frames_forbidden")
                return None
        return document


def _status(document: bytes, grant: Grant) -> bytes:
    return codec.encode(status(codec.decode(document, BrokerStatusReply), grant))


def _topics_event(document: bytes, grant: Grant) -> bytes:
    return codec.encode(topics_update(codec.decode(document, TopicsUpdate), grant))


_REDACTED: Final[dict[str, Callable[[bytes, Grant], bytes]]] = {
    events.BROKER_STATUS: _status,
    events.TOPICS_UPDATE: _topics_event,
}
