"""Socket.IO handlers: who may come, what may be asked, and an answer in words for everything.

Websocket transport only, so no sticky sessions are needed; each worker serves its own sockets.
Whatever a client sends is converted into a type of the contract first.
"""

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

import flask
import msgspec

from flask_socketio import SocketIO
from mqtt_dashboard import logs
from mqtt_dashboard.bus.shares import asking
from mqtt_dashboard.clock import Clock
from mqtt_dashboard.contract import codec, events, plain_words, topics
from mqtt_dashboard.contract.api import PublishReply, PublishRequest
from mqtt_dashboard.contract.events import CreditReply, CreditRequest, FilterReply, FilterRequest
from mqtt_dashboard.contract.orders import CommandWatch, CommandWatchReply
from mqtt_dashboard.dashboard.auth.crowd import Crowd
from mqtt_dashboard.dashboard.auth.principal import ForbiddenError, SignInError, TooManyError
from mqtt_dashboard.dashboard.auth.publishing import JudgedPublisher
from mqtt_dashboard.dashboard.commander import Commander, UnavailableError
from mqtt_dashboard.dashboard.counters import Counters
from mqtt_dashboard.dashboard.fanout import Fanout
from mqtt_dashboard.dashboard.interests import Interests
from mqtt_dashboard.dashboard.resume import Resumer
from mqtt_dashboard.dashboard.ring import Position
from mqtt_dashboard.dashboard.state import ReadModel
from mqtt_dashboard.errors import BusError, FieldRefusedError, QueueFullError, TopicError

REQUESTS_PER_WINDOW: Final = 100
WINDOW_S: Final = 10.0
PUBLISHES_AT_ONCE: Final = 8
# Of all sockets of one user on this worker; the bridge holds 1,000 for everybody.
FILTERS_EACH: Final = 200
PRIMING_S: Final = 1.0

RequestT = TypeVar("RequestT")
_log = logs.get(__name__)


class RefusedError(Exception):
    """A socket request is not served; the text goes into the acknowledgement."""


class SocketHandlers:
    """The handlers and the limits of each socket."""

    def __init__(
        self,
        state: ReadModel,
        fanout: Fanout,
        resumer: Resumer,
        interests: Interests,
        publisher: JudgedPublisher,
        commander: Commander,
        crowd: Crowd,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self._crowd = crowd
        self._state = state
        self._fanout = fanout
        self._resumer = resumer
        self._interests = interests
        self._publisher = publisher
        self._commander = commander
        self._clock = clock
        self._counters = counters
        self._lock = threading.Lock()
        self._recent: dict[str, deque[float]] = {}
        self._publishing: dict[str, int] = defaultdict(int)
        self._users: dict[str, str] = {}
        self._filters: Counter[str] = Counter()

    def register(self, server: SocketIO) -> None:
        """Attach the handlers."""
        server.on_event("connect", self._connect)
        server.on_event("disconnect", self._disconnect)
        self._on(server, events.SUBSCRIBE, self._subscribe, _filter_refused)
        self._on(server, events.UNSUBSCRIBE, self._unsubscribe, _filter_refused)
        self._on(server, events.PUBLISH, self._publish, _publish_refused)
        self._on(server, events.CREDIT, self._credit, _credit_refused, limited=False)
        self._on(server, events.WATCH_COMMAND, self._watch, _watch_refused)

    def _connect(self, _auth: object = None) -> bool:
        """Take the viewer and tell it everything that is known at once."""
        sid = _sid()
        try:
            principal = self._crowd.admit(sid, flask.request.environ)
            self._fanout.join(sid)
        except (QueueFullError, SignInError, BusError) as error:
            self._crowd.leave(sid)
            self._counters.add("viewers_refused")
            _log.warning("viewer.refused", reason=str(error))
            return False
        self._recent[sid] = deque(maxlen=REQUESTS_PER_WINDOW)
        if principal.kind != "anonymous":
            self._users[sid] = principal.visitor
        for event, document in self._present():
            self._fanout.tell_one(sid, event, codec.encode(document))
        return True

    def _present(self) -> list[tuple[str, msgspec.Struct]]:
        found: list[tuple[str, msgspec.Struct]] = [
            (events.BROKER_STATUS, self._state.broker_status()),
            (events.BROKER_STATS, self._state.broker_stats()),
        ]
        if self._state.clients is not None:
            found.append((events.CLIENTS_UPDATE, self._state.clients.document))
        if self._state.topics is not None:
            found.append((events.TOPICS_UPDATE, self._state.topics.document))
        return found

    def _disconnect(self, *_reason: object) -> None:
        sid = _sid()
        filters = self._fanout.leave(sid)
        self._crowd.leave(sid)
        self._commander.board.leave(sid)
        self._recent.pop(sid, None)
        self._count_filters(self._users.pop(sid, None), -len(filters))
        for topic_filter in filters:
            self._interests.unwant(topic_filter)

    def _count_filters(self, user: str | None, more: int) -> None:
        if user is None:
            return
        with self._lock:
            self._filters[user] += more
            if self._filters[user] <= 0:
                del self._filters[user]

    def _subscribe(self, sid: str, data: object) -> FilterReply:
        request = _converted(data, FilterRequest)
        topic_filter = _checked_filter(request.filter)
        self._crowd.of(sid).check_watch(topic_filter)
        user = self._users.get(sid)
        if user is not None and self._filters[user] >= FILTERS_EACH:
            raise RefusedError(f"you watch {FILTERS_EACH} filters already; stop watching one first")
        after = Position(last.epoch, last.seq) if (last := request.after) else None
        try:
            is_new = self._fanout.watch(sid, topic_filter, after)
        except QueueFullError as error:
            raise RefusedError(str(error)) from error
        self._count_filters(user, int(is_new))
        watched = self._interests.want(topic_filter) if is_new else self._state.covers(topic_filter)
        # The replay goes out before the acknowledgement: whatever follows it is live.
        self._fanout.primed.wait(PRIMING_S)
        self._resumer.serve(sid, topic_filter)
        return FilterReply(ok=True, filter=topic_filter, watched=watched)

    def _unsubscribe(self, sid: str, data: object) -> FilterReply:
        topic_filter = _converted(data, FilterRequest).filter
        if not self._fanout.unwatch(sid, topic_filter):
            raise RefusedError("this filter is not watched here")
        self._count_filters(self._users.get(sid), -1)
        self._interests.unwant(topic_filter)
        return FilterReply(ok=True, filter=topic_filter)

    def _credit(self, sid: str, data: object) -> CreditReply:
        frames = self._fanout.credit(sid, _converted(data, CreditRequest).frames)
        return CreditReply(ok=True, frames=frames or 0)

    def _publish(self, sid: str, data: object) -> PublishReply:
        request = _converted(data, PublishRequest)
        with self._lock:
            if self._publishing[sid] >= PUBLISHES_AT_ONCE:
                raise RefusedError(f"{PUBLISHES_AT_ONCE} publishes already wait for their result")
            self._publishing[sid] += 1
        try:
            return self._publisher.publish(
                self._crowd.of(sid),
                request,
                lambda identity: self._commander.board.follow(identity, sid),
            )
        except (FieldRefusedError, UnavailableError) as error:
            raise RefusedError(str(error)) from error
        finally:
            self._published(sid)

    def _watch(self, sid: str, data: object) -> CommandWatchReply:
        """Tell what is known of a command; its result follows when there is none yet."""
        command_id, board = _converted(data, CommandWatch).id, self._commander.board
        record = None
        # Followed first: a result that comes in between is then told twice, never missed.
        board.follow(command_id, sid)
        try:
            record = self._publisher.find(self._crowd.of(sid), command_id)
        except UnavailableError as error:
            raise RefusedError(str(error)) from error
        finally:
            if record is None or record.finished_at is not None:
                board.unfollow(command_id, sid)
        if record is None:
            raise RefusedError("there is no record of this command (any more)")
        return CommandWatchReply(ok=True, id=command_id, command=record)

    def _published(self, sid: str) -> None:
        with self._lock:
            self._publishing[sid] -= 1
            if self._publishing[sid] <= 0:
                del self._publishing[sid]

    def _on(
        self,
        server: SocketIO,
        event: str,
        handler: Callable[[str, object], msgspec.Struct],
        refuse: Callable[[object, str], msgspec.Struct],
        *,
        limited: bool = True,
    ) -> None:
        """Attach a handler; only those reach it who may send the event."""

        def allowed(sid: str, data: object) -> msgspec.Struct:
            asking.set(self._crowd.require(sid, event).visitor)
            return handler(sid, data)

        server.on_event(event, self._guarded(allowed, refuse, limited=limited))

    def _guarded(
        self,
        handler: Callable[[str, object], msgspec.Struct],
        refuse: Callable[[object, str], msgspec.Struct],
        *,
        limited: bool = True,
    ) -> Callable[..., Any]:
        """Wrap a handler: limits first, and no client ever sees or causes a traceback."""

        def guarded(*args: object) -> Any:
            data = args[0] if args else None
            sid = _sid()
            self._fanout.cut_if_flooding(sid)
            try:
                if limited:
                    self._limit(sid)
                reply = handler(sid, data)
            except (RefusedError, SignInError, ForbiddenError, TooManyError) as error:
                self._counters.add("socket_requests_refused")
                reply = refuse(data, str(error))
            except Exception:  # noqa: BLE001 - the edge: logged, counted, answered
                self._counters.add("loop_failures", "socket_handler")
                _log.exception("socket.handler_failed")
                reply = refuse(data, "an error happened inside the dashboard; its log has more")
            return msgspec.Raw(codec.encode(reply))

        return guarded

    def _limit(self, sid: str) -> None:
        recent = self._recent.get(sid)
        if recent is None:
            raise RefusedError("this socket is closed")
        now = self._clock.monotonic()
        if len(recent) == REQUESTS_PER_WINDOW and now - recent[0] < WINDOW_S:
            raise RefusedError(
                f"too many requests: {REQUESTS_PER_WINDOW} in {WINDOW_S:g} s are allowed"
            )
        recent.append(now)


def _sid() -> str:
    return str(flask.request.sid)  # type: ignore[attr-defined] # set by Flask-SocketIO


def _converted(data: object, kind: type[RequestT]) -> RequestT:
    try:
        return msgspec.convert(data, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise RefusedError(plain_words.sentence(str(error))) from error


def _checked_filter(topic_filter: str) -> str:
    try:
        group, _ = topics.split_shared(topics.check_filter(topic_filter))
    except TopicError as error:
        raise RefusedError(str(error)) from error
    if group is not None:
        raise RefusedError("a shared subscription cannot be watched; leave out $share/<group>/")
    return topic_filter


def _asked(data: object, name: str) -> str:
    value = data.get(name) if isinstance(data, dict) else None
    return value[:256] if isinstance(value, str) else ""


def _filter_refused(data: object, message: str) -> FilterReply:
    return FilterReply(ok=False, filter=_asked(data, "filter"), message=message)


def _credit_refused(_data: object, message: str) -> CreditReply:
    return CreditReply(ok=False, message=message)


def _watch_refused(data: object, message: str) -> CommandWatchReply:
    return CommandWatchReply(ok=False, id=_asked(data, "id"), message=message)


def _publish_refused(data: object, message: str) -> PublishReply:
    return PublishReply(
        ok=False, id="", state="failed", reason=message, topic=_asked(data, "topic")
    )
