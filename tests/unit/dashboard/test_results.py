"""Who is told a result: everybody who asked for it, and nobody can crowd out the others."""

import pytest

from mqtt_dashboard.contract.orders import CommandResult
from mqtt_dashboard.dashboard.results import (
    MAX_FOLLOWED,
    MAX_FOLLOWED_EACH,
    MAX_WAITING_EACH,
    ResultBoard,
)
from mqtt_dashboard.errors import QueueFullError
from tests.unit.dashboard.fanout_rig import Rig


class Board:
    """A board whose sockets note what they are told."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.board = ResultBoard(self.rig.fanout, self.rig.counters)

    def told(self, command_id: str) -> set[str]:
        """Tell a result; return who was told."""
        result = CommandResult(
            id=command_id,
            state="acked",
            reason="",
            topic="t",
            mode="at-most-once",
            qos=1,
            timestamp=1.0,
        )
        self.rig.sockets.results.clear()
        self.board.told(result)
        return set(self.rig.sockets.results)

    def join(self, *sids: str) -> None:
        for sid in sids:
            self.rig.join(sid)


def test_a_flood_of_wishes_costs_only_who_has_them() -> None:
    """110 sockets with 100 wishes each: who asked for one command before is still told of it."""
    hall = Board()
    hall.join("honest")
    hall.board.follow("mine", "honest")
    for number in range(110):
        hall.join(f"s{number}")
        for wish in range(MAX_FOLLOWED_EACH + 20):
            hall.board.follow(f"{number}-{wish}", f"s{number}")
    assert len(hall.board.followed()) <= MAX_FOLLOWED + 1
    assert hall.rig.counters.get("command_results_not_told") >= 110 * 20
    assert hall.told("mine") == {"honest"}
    assert hall.told("5-0") == set()
    assert hall.told(f"5-{MAX_FOLLOWED_EACH}") == {"s5"}


def test_wishes_go_when_refused_told_or_with_their_socket() -> None:
    """Nothing stays behind of what nobody waits for any more."""
    hall = Board()
    hall.join("one", "two")
    for sid in ("one", "two"):
        for name in ("a", "b", "c"):
            hall.board.follow(name, sid)
    hall.board.unfollow("a", "one")
    assert hall.told("a") == {"two"}
    hall.board.leave("two")
    assert hall.told("b") == {"one"}
    assert hall.told("b") == set()
    hall.board.leave("one")
    hall.board.leave("nobody")
    hall.board.unfollow("a", "nobody")
    assert hall.board.followed() == []
    assert hall.board._wishes == {}


def test_places_to_wait_are_shared() -> None:
    """One user gets so many places; they are free again afterwards, and others have theirs."""
    hall = Board()

    def fill(left: int) -> None:
        if left:
            with hall.board.place(f"c{left}", "ada"):
                fill(left - 1)
            return
        with (
            pytest.raises(QueueFullError, match="your requests"),
            hall.board.place("one more", "ada"),
        ):
            pass
        with hall.board.place("one more", "bob") as event:
            hall.told("one more")
            assert event.is_set()

    fill(MAX_WAITING_EACH)
    with hall.board.place("again", "ada"):
        assert hall.board.followed() == ["again"]
    assert hall.board.followed() == []
