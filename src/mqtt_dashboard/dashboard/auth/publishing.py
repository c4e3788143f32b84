"""Publishing in somebody's name: judged here, and sent with what the bridge judges again."""

from collections.abc import Callable

from mqtt_dashboard.contract.api import PublishReply, PublishRequest
from mqtt_dashboard.contract.orders import CommandRecord, CommandRequest
from mqtt_dashboard.dashboard.auth.principal import Principal
from mqtt_dashboard.dashboard.commander import Commander
from mqtt_dashboard.dashboard.publisher import Publisher


class JudgedPublisher:
    """The way to `Publisher` and `Commander` for everything that comes from outside."""

    def __init__(self, publisher: Publisher, commander: Commander) -> None:
        self._publisher = publisher
        self._commander = commander

    def publish(
        self,
        who: Principal,
        request: PublishRequest,
        accepted: Callable[[str], None] = lambda _id: None,
    ) -> PublishReply:
        """Publish one message; raise `ForbiddenError` when this one may not."""
        who.check_publish(request.topic)
        return self._publisher.publish(request, accepted, who.policy())

    def accept(self, who: Principal, request: CommandRequest, key: str | None) -> CommandRecord:
        """Accept a command for good; raise `ForbiddenError` when this one may not.

        An answer may only be asked for where this one may read it.
        """
        who.check_publish(request.topic)
        if request.response_topic is not None:
            who.check_watch(request.response_topic)
        return self._commander.accept(request, key, policy=who.policy())

    def find(self, who: Principal, command_id: str) -> CommandRecord | None:
        """Return a record; None when there is none that this one may see."""
        record = self._commander.get(command_id)
        return record if record is not None and who.sees_command(record.topic) else None
