"""Which filters contain a wanted one, against brute force over all short topics."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_dashboard.contract.policy import (
    CommandPolicy,
    Grant,
    command_refusal,
    publish_grant,
    read_grant,
    union_contains,
)
from tests.property.test_topics import oracle

# "z" is in no filter: it stands for all the levels nobody thought of.
LEVELS = ["", "a", "b", "$x", "z", "$z"]
levels = st.lists(st.sampled_from(["", "a", "b", "$x", "+"]), max_size=3)
filters = st.builds(
    lambda first, tail: "/".join([*first, *tail]), levels, st.sampled_from([[], ["#"]])
).filter(bool)
TOPICS = [
    topic
    for length in range(1, 6)
    for parts in itertools.product(LEVELS, repeat=length)
    if (topic := "/".join(parts))
]


def brute_force(allowed: list[str], wanted: str) -> bool:
    return all(
        any(oracle(one, topic) for one in allowed) for topic in TOPICS if oracle(wanted, topic)
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(filters, max_size=5), filters)
def test_containment_in_a_union_agrees_with_brute_force(allowed: list[str], wanted: str) -> None:
    """G19: a wanted filter is inside the allowed ones exactly when every topic of it is."""
    assert union_contains(allowed, wanted) == brute_force(allowed, wanted)


@settings(max_examples=300, deadline=None)
@given(filters, st.data())
def test_filters_cut_from_one_another_agree_with_brute_force(
    wanted: str, data: st.DataObject
) -> None:
    """G19: near misses, made from the wanted filter itself, are told from hits."""

    def near(text: str) -> str:
        parts = text.split("/")
        place = data.draw(st.integers(0, len(parts) - 1))
        change = data.draw(st.sampled_from(["+", "a", "#", "keep"]))
        if change == "#":
            return "/".join([*parts[:place], "#"])
        if change != "keep" and parts[place] != "#":
            parts[place] = change
        return "/".join(parts) or "a"

    allowed = [near(wanted) for _ in range(data.draw(st.integers(1, 4)))]
    assert union_contains(allowed, wanted) == brute_force(allowed, wanted)


def test_unions_are_decided_exactly() -> None:
    """Pieces that contain a filter only together are seen to; one missing piece is seen, too."""
    assert union_contains(["a", "a/+", "a/+/#"], "a/#")
    assert not union_contains(["a/+", "a/+/#"], "a/#")
    assert union_contains(["a", "a/+/#"], "a/b/+")
    assert union_contains(["+", "+/+/#"], "#")
    assert not union_contains(["#"], "$SYS/#")
    assert union_contains(["#", "$SYS/#"], "$SYS/broker/+")
    assert not union_contains(["site1/#"], "site10/a")
    assert not union_contains([], "a")


def test_roles_grant_what_is_documented() -> None:
    """Viewers publish nothing, `$` needs to be spelt out, administrators may do everything."""
    assert read_grant("viewer", None).allows("a/b")
    assert not read_grant("viewer", None).allows("$SYS/broker/uptime")
    assert read_grant("operator", None).covers("$SYS/#")
    assert publish_grant("operator", None).covers("#")
    assert not publish_grant("operator", None).allows("$CONTROL/dynamic-security/v1")
    assert publish_grant("administrator", None).allows("$CONTROL/dynamic-security/v1")
    assert not publish_grant("viewer", ["#"]).allows("a")
    assert not publish_grant("administrator", ["a/#"]).allows("b")
    assert not Grant(filters=("a/#",)).unrestricted


def test_the_bridge_can_judge_a_command_again() -> None:
    """A command outside of its sender's filters is refused in words; without policy it passes."""
    policy = CommandPolicy(who="ada", publish=Grant(filters=("lamps/#",)))
    assert command_refusal(policy, "lamps/1") is None
    assert "lamps/#" in (command_refusal(policy, "doors/1") or "")
    assert command_refusal(None, "doors/1") is None


def test_only_administrators_control_the_broker() -> None:
    """P52: no filter, however it is spelt, gives `$CONTROL` to anybody but administrators."""
    topic = "$CONTROL/dynamic-security/v1"
    spelt = ["$CONTROL/#", "$CONTROL/+/#", "$CONTROL/dynamic-security/v1", "$control/+/v1"]
    for filters in (spelt, [*spelt, "hall/#"], ["#", "+/#", "$SYS/#"]):
        for role in ("viewer", "operator"):
            for grant in (publish_grant(role, filters), read_grant(role, filters)):
                assert not grant.allows(topic)
                assert not grant.touches("$CONTROL/#")
                assert not grant.allows("$control/x/v1")
    assert publish_grant("operator", ["$CONTROL/#", "hall/#"]).allows("hall/1")
    assert publish_grant("administrator", ["$CONTROL/#"]).allows(topic)
    assert read_grant("administrator", ["$CONTROL/+/#"]).allows(topic)


def test_the_bridge_judges_the_role_for_broker_control() -> None:
    """P52: a policy that grants `$CONTROL` is refused unless it says it is an administrator's."""
    topic = "$CONTROL/dynamic-security/v1"
    spelt, everything = Grant(filters=("$CONTROL/#",)), Grant(everything=True)
    operator = CommandPolicy(who="otto", publish=spelt, role="operator")
    assert "administrator" in (command_refusal(operator, topic) or "")
    assert "administrator" in (command_refusal(CommandPolicy(who="o", publish=spelt), topic) or "")
    forged = CommandPolicy(who="otto", publish=everything, role="operator")
    assert "administrator" in (command_refusal(forged, topic) or "")
    assert (
        command_refusal(CommandPolicy(who="a", publish=spelt, role="administrator"), topic) is None
    )
    # An earlier dashboard sends no role; then "everything" is what only administrators have.
    assert command_refusal(CommandPolicy(who="a", publish=everything), topic) is None
