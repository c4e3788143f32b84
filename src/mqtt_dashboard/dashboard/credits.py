"""How many frames a viewer may be sent, and how often.

A client that announces credit decides itself: nothing is sent without it. One that never does gets
frames at a modest fixed rate, as long as its socket takes them.
"""

from typing import Final

from mqtt_dashboard.contract.events import MAX_CREDIT

# Twenty frames a second for those who confirm what they have shown.
CREDIT_INTERVAL_S: Final = 0.05
# Ten frames a second, and a little room: a source of just ten a second is never made to wait.
PLAIN_INTERVAL_S: Final = 0.09


class Credit:
    """The frames one viewer still allows; ``left`` is None while it has never spoken of credit."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left: int | None = None

    @property
    def exhausted(self) -> bool:
        """Tell whether nothing may be sent before more arrives."""
        return self.left == 0

    @property
    def interval_s(self) -> float:
        """Return the shortest time between two frames."""
        return PLAIN_INTERVAL_S if self.left is None else CREDIT_INTERVAL_S

    def add(self, frames: int) -> int:
        """Allow more frames; return how many are allowed now."""
        self.left = min((self.left or 0) + frames, MAX_CREDIT)
        return self.left

    def spend(self) -> None:
        """Take note of a frame that was sent."""
        if self.left:
            self.left -= 1
