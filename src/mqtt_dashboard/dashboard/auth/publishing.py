"""Publishing in somebody's name: judged and written down here, and judged by the bridge again."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mqtt_dashboard.contract.api import PublishReply, PublishRequest
from mqtt_dashboard.contract.orders import CommandRecord, CommandRequest
from mqtt_dashboard.dashboard.audit import Auditor
from mqtt_dashboard.dashboard.auth.limiting import RequestLimits
from mqtt_dashboard.dashboard.auth.principal import ForbiddenError, Principal
from mqtt_dashboard.dashboard.commander import Commander, KeyTakenError, UnavailableError
from mqtt_dashboard.dashboard.publisher import Publisher
from mqtt_dashboard.errors import BusError, FieldRefusedError


class JudgedPublisher:
    """The way to `Publisher` and `Commander` for everything that comes from outside."""

    def __init__(
        self,
        publisher: Publisher,
        commander: Commander,
        auditor: Auditor,
        limits: RequestLimits,
    ) -> None:
        self._limits = limits
        self._publisher = publisher
        self._commander = commander
        self._auditor = auditor

    def publish(
        self,
        who: Principal,
        request: PublishRequest,
        begun: Callable[[str], None] = lambda _id: None,
    ) -> PublishReply:
        """Publish one message; raise `ForbiddenError` when this one may not."""
        # Known at once, while the record would wait for a Redis that does not answer.
        self._publisher.require_bridge()
        with self._written_down(who, request) as identity:
            return self._publisher.publish(request, begun, who.policy(), identity)

    def accept(self, who: Principal, request: CommandRequest, key: str | None) -> CommandRecord:
        """Accept a command for good; raise `ForbiddenError` when this one may not.

        An answer may only be asked for where this one may read it.
        """
        with self._written_down(who, request) as identity:
            record = self._commander.accept(request, key, policy=who.policy(), command_id=identity)
        if record.id != identity:
            self._auditor.not_published(identity, "repeated", f"stands for command {record.id}")
        return record

    def find(self, who: Principal, command_id: str) -> CommandRecord | None:
        """Return a record; None when there is none that this one may see."""
        record = self._commander.get(command_id)
        return record if record is not None and who.sees_command(record.topic) else None

    @contextmanager
    def _written_down(
        self, who: Principal, request: PublishRequest | CommandRequest
    ) -> Iterator[str]:
        """Yield the id of the command; what cannot be written down is not sent."""
        try:
            who.check_publish(request.topic)
            if isinstance(request, CommandRequest) and request.response_topic is not None:
                who.check_watch(request.response_topic)
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
        except (FieldRefusedError, KeyTakenError) as error:
            self._auditor.not_published(identity, "refused", str(error))
            raise
        # Of anything else it is not known whether it was accepted: the sweep finds out.
