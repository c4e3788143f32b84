"""Who may read and publish which topics: roles, filters, and what contains what.

Pure functions over MQTT filters (MQTT 5.0, 4.7), used by the dashboard for every request and again
by the bridge for every command, so that both judge alike.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from mqtt_dashboard.contract import topics

Role = Literal["viewer", "operator", "administrator"]

MAX_FILTERS: Final = 64
# No topic may hold U+0000, so a level made of it is in no filter: the hardest level to cover.
FRESH: Final = "\0"
# What is sent below it changes the broker itself: its users, its roles, its access control.
CONTROL: Final = "$CONTROL"


# The page asks for answers below it, on a topic of its own.
ANSWERS: Final = "mqtt-dashboard/reply/"


class Grant(Struct, kw_only=True, frozen=True):
    """Topics somebody may use: all that match one of ``filters``; ``everything`` is also ``$``.

    A ``$`` topic is only granted by a filter that spells its first level, or by ``everything``.
    """

    filters: Annotated[tuple[str, ...], Meta(max_length=MAX_FILTERS)] = ()
    everything: bool = False

    def allows(self, topic: str) -> bool:
        """Tell whether one topic is granted."""
        return self.everything or any(topics.matches(one, topic) for one in self.filters)

    def allows_beginning(self, beginning: str) -> bool:
        """Tell whether all topics are granted that begin with these bytes, the last level cut."""
        levels = beginning.split("/")[:-1]
        if levels or not beginning.startswith("$"):
            return self.covers("/".join([*levels, "#"]))
        return self.everything

    def covers(self, topic_filter: str) -> bool:
        """Tell whether every topic that matches a filter is granted."""
        return self.everything or union_contains(self.filters, topic_filter)

    def touches(self, topic_filter: str) -> bool:
        """Tell whether some topic that matches a filter is granted."""
        return self.everything or any(topics.overlap(one, topic_filter) for one in self.filters)

    def contains(self, other: "Grant") -> bool:
        """Tell whether everything another grant grants is granted."""
        if other.everything:
            return self.everything
        return all(self.covers(one) for one in other.filters)

    @property
    def unrestricted(self) -> bool:
        """Tell whether every topic that does not begin with ``$`` is granted."""
        return self.covers("#")

    def in_words(self) -> str:
        """Return what is granted, for a refusal."""
        if self.everything:
            return "everything"
        return ", ".join(self.filters) or "nothing"


ROLE_READ: Final[dict[Role, Grant]] = {
    "viewer": Grant(filters=("#",)),
    "operator": Grant(filters=("#", "$SYS/#")),
    "administrator": Grant(everything=True),
}
ROLE_PUBLISH: Final[dict[Role, Grant]] = {
    "viewer": Grant(),
    "operator": Grant(filters=("#",)),
    "administrator": Grant(everything=True),
}
RANK: Final[dict[Role, int]] = {"viewer": 0, "operator": 1, "administrator": 2}


class CommandPolicy(Struct, kw_only=True, frozen=True):
    """In whose name a command is sent, and what that name may publish to.

    ``role`` is ``null`` from a dashboard of a release that did not send it.
    """

    who: Annotated[str, Meta(min_length=1, max_length=128)]
    publish: Grant
    role: Role | None = None

    @property
    def is_administrator(self) -> bool:
        """Tell whether an administrator sends it; without a role only those had everything."""
        return self.role == "administrator" or (self.role is None and self.publish.everything)


def read_grant(role: Role, filters: Sequence[str] | None) -> Grant:
    """Return what may be read: the filters when given, else the role's default."""
    return ROLE_READ[role] if filters is None else _granted(role, filters)


def publish_grant(role: Role, filters: Sequence[str] | None) -> Grant:
    """Return what may be published to; a viewer publishes nothing, whatever filters it has."""
    if filters is None or role == "viewer":
        return ROLE_PUBLISH[role]
    return _granted(role, filters)


def _granted(role: Role, filters: Sequence[str]) -> Grant:
    """Return the filters as a grant; records of before may name what only administrators get."""
    return Grant(filters=tuple(one for one in filters if may_be_granted(role, one)))


def may_be_granted(role: Role, topic_filter: str) -> bool:
    """Tell whether a role may be given a filter at all: `$CONTROL` is for administrators only."""
    return role == "administrator" or not controls_broker(topic_filter)


def controls_broker(name: str) -> bool:
    """Tell whether a topic, or what a filter matches, is below `$CONTROL`.

    Only a first level that is spelt out reaches a `$` topic, so there is nothing else to look at.
    In any letter case: how strictly a broker compares is not for us to know.
    """
    return name.partition("/")[0].upper() == CONTROL


def command_refusal(policy: CommandPolicy | None, topic: str) -> str | None:
    """Return why a publish is not allowed; None when it is, or when no policy was sent along."""
    if policy is None:
        return None
    if not policy.publish.allows(topic):
        return f"{policy.who} may publish to {policy.publish.in_words()}, not to this topic"
    if controls_broker(topic) and not policy.is_administrator:
        return f"{policy.who} is no administrator; only those may publish below {CONTROL}"
    return None


def is_place_for_answers(topic: str) -> bool:
    """Tell whether a topic is one of those on which nothing but answers is sent."""
    return topic.startswith(ANSWERS)


def answer_refusal(policy: CommandPolicy | None, topic: str) -> str | None:
    """Return why an answer may not be asked for on a topic; None when it may.

    A device may publish where the sender may not, so it must not be sent there.
    """
    return None if is_place_for_answers(topic) else command_refusal(policy, topic)


def union_contains(allowed: Iterable[str], wanted: str) -> bool:
    """Tell whether every topic that matches ``wanted`` matches at least one allowed filter.

    Exact, for unions too: ``a`` + ``a/+`` + ``a/+/#`` contain ``a/#`` although none does alone.
    Levels are endless, so a wildcard of ``wanted`` can always be filled with a level that no
    allowed filter spells out. Such a topic matches no more allowed filters than any other of its
    length, so if these hardest topics (one per length) are covered, all are. Only the limit of
    65,535 bytes per topic is left out of account; that can turn a yes into a no, never a no into
    a yes.
    """
    filters = tuple(allowed)
    levels = wanted.split("/")
    if levels[-1] != "#":
        return _all_match(filters, [_hardest(levels)])
    stem = _hardest(levels[:-1])
    deepest = max((one.count("/") + 1 for one in filters), default=0)
    # From "#" standing for no level at all to one level more than any allowed filter has. No topic
    # is empty, so in "#" and "/#" it stands for one level at least.
    fewest = 0 if any(stem) or len(stem) > 1 else 1
    most = max(fewest, deepest + 1 - len(stem))
    return _all_match(filters, [stem + [FRESH] * more for more in range(fewest, most + 1)])


def _hardest(levels: Sequence[str]) -> list[str]:
    return [FRESH if level == "+" else level for level in levels]


def _all_match(filters: tuple[str, ...], witnesses: Iterable[list[str]]) -> bool:
    return all(
        any(topics.matches(one, topic) for one in filters)
        for topic in ("/".join(levels) for levels in witnesses)
    )
