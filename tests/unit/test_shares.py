"""Turns at what is scarce: so many for one visitor, so many for all."""

import threading

import pytest

from mqtt_dashboard.bus.shares import Shares
from mqtt_dashboard.errors import TooManyAtOnceError


def test_one_visitor_gets_its_share_and_no_more() -> None:
    """Whoever holds all of its turns is told so; another visitor is served meanwhile."""
    shares = Shares(each=2, all_=4, patience_s=0.01)
    shares.take("greedy")
    shares.take("greedy")
    with pytest.raises(TooManyAtOnceError, match="of yours"):
        shares.take("greedy")
    shares.take("other")
    shares.give("greedy")
    shares.take("greedy")
    assert len(shares) == 2


def test_all_together_get_no_more_than_there_is() -> None:
    """When everything is taken a newcomer is told that it is not its own doing."""
    shares = Shares(each=2, all_=2, patience_s=0.01)
    shares.take("one")
    shares.take("two")
    with pytest.raises(TooManyAtOnceError, match="requests at once; try again"):
        shares.take("three")


def test_a_turn_that_ends_goes_to_who_waits() -> None:
    """Waiting is served in time, and nothing is remembered of visitors that are gone."""
    shares = Shares(each=1, all_=1, patience_s=10)
    shares.take("first")
    served = threading.Event()

    def wait() -> None:
        shares.take("second")
        served.set()
        shares.give("second")

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert not served.wait(0.05)
    shares.give("first")
    assert served.wait(10)
    waiting.join()
    assert len(shares) == 0
