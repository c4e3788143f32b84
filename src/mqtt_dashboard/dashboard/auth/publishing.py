"""Publishing in somebody's name: judged and written down here, and judged by the bridge again.

What is not valid is refused before it is written down. Who was recognised a moment ago is judged
anew right before a command is accepted, under a version of all rights that must still hold then:
so no command is accepted in the name of somebody whose rights are gone.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mqtt_dashboard.bus.dashboard_orders import Sender
from mqtt_dashboard.contract import orders
from mqtt_dashboard.contract.api import PublishReply, PublishRequest
from mqtt_dashboard.contract.orders import CommandRecord, CommandRequest, OrderSummary
from mqtt_dashboard.contract.policy import ANSWERS, is_place_for_answers
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.auth.limiting import RequestLimits
from mqtt_dashboard.dashboard.auth.principal import ForbiddenError, Principal, SignInError
from mqtt_dashboard.dashboard.auth.recognition import Recognition
from mqtt_dashboard.dashboard.commander import (
    Behalf,
    Commander,
    Judge,
    KeyTakenError,
    NoRoomError,
    UnavailableError,
)
from mqtt_dashboard.dashboard.publisher import Publisher
from mqtt_dashboard.errors import BusError


class JudgedPublisher:
    """The way to `Publisher` and `Commander` for everything that comes from outside."""

    def __init__(
        self,
        publisher: Publisher,
        commander: Commander,
        auditor: Auditor,
        limits: RequestLimits,
        recognition: Recognition,
    ) -> None:
        self._limits = limits
        self._publisher = publisher
        self._commander = commander
        self._auditor = auditor
        self._recognition = recognition

    def publish(
        self,
        who: Principal,
        request: PublishRequest,
        begun: Callable[[str], None] = lambda _id: None,
    ) -> PublishReply:
        """Publish one message; raise `ForbiddenError` when this one may not."""
        # Known at once, while the record would wait for a Redis that does not answer.
        self._publisher.require_bridge()
        with self._written_down(who, self._publisher.command(request)) as identity:
            return self._publisher.publish(
                request,
                self._judge(who, request),
                identity=identity,
                waiter=who.visitor,
                begun=begun,
            )

    def accept(self, who: Principal, request: CommandRequest, key: str | None) -> CommandRecord:
        """Accept a command for good; raise `ForbiddenError` when this one may not.

        An answer may only be asked for where this one may read it and could send it as well: the
        device that answers may publish where this one may not.
        """
        self._commander.require_durable()
        if key is not None:
            orders.check_key(key)
        with self._written_down(who, request) as identity:
            record = self._commander.accept(
                request, key, self._judge(who, request), command_id=identity
            )
        if record.id != identity:
            self._auditor.not_published(identity, "repeated", f"stands for command {record.id}")
        return record

    def find(self, who: Principal, command_id: str) -> CommandRecord | None:
        """Return a record; None when there is none that this one may see."""
        record = self._commander.get(command_id)
        return record if record is not None and sees(who, record) else None

    def still(self, who: Principal) -> Principal:
        """Return somebody as that one is now; raise `SignInError` when no more."""
        now = self._recognition.again(who)
        if now is None:
            raise SignInError("you were signed out, or your rights were withdrawn; sign in again")
        return now

    def _judge(self, who: Principal, request: PublishRequest | CommandRequest) -> Judge:
        def judge() -> Behalf:
            try:
                # Read first: rights that change after this are noticed when it is accepted.
                rights = self._recognition.version()
                now = self.still(who)
            except BusError as error:
                raise UnavailableError(f"not accepted: {error.reason}") from error
            _check(now, request)
            return Behalf(now.policy(), Sender(now.sender, rights))

        return judge

    @contextmanager
    def _written_down(self, who: Principal, request: CommandRequest) -> Iterator[str]:
        """Yield the id of the command; what cannot be written down is not sent."""
        orders.order_of(request, keyed=False)
        try:
            _check(who, request)
        except ForbiddenError as error:
            self._auditor.refused_publish(who, request, str(error))
            raise
        self._limits.count_topic(request.topic)
        identity = uuid.uuid4().hex
        try:
            self._auditor.publishing(who, request, identity)
        except BusError as error:
            raise UnavailableError(
                f"not sent: the audit record cannot be written: {error.reason}"
            ) from error
        try:
            yield identity
        except (KeyTakenError, NoRoomError, SignInError, ForbiddenError) as error:
            self._auditor.not_published(identity, "refused", str(error))
            raise
        # Of anything else it is not known whether it was accepted: the sweep finds out.


def sees(who: Principal, command: CommandRecord | OrderSummary) -> bool:
    """Tell whether somebody may see a command, by its topic."""
    return who.sees_command(command.topic, is_whole=command.topic_sha256 is None)


def _check(who: Principal, request: PublishRequest | CommandRequest) -> None:
    who.check_publish(request.topic)
    answers = request.response_topic if isinstance(request, CommandRequest) else None
    if answers is None:
        return
    who.check_watch(answers)
    if not is_place_for_answers(answers) and not who.publish.allows(answers):
        raise ForbiddenError(
            f"an answer may be asked for below {ANSWERS} or where {who.name} may publish, which is "
            f"{who.publish.in_words()}"
        )
