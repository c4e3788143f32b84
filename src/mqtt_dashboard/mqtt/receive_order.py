"""Acknowledgements of received messages: in receive order, and only to the same connection.

A token carries the number of its connection, so that an acknowledgement that comes after a
reconnect is recognised and dropped: the broker sends that message again.
"""

from collections import deque
from typing import Final

from mqtt_dashboard.logs import get

# With so many unconfirmed nothing more is read until half are. One more read brings 32,000 of the
# smallest messages, and then there are still no more than there are packet ids.
CROWD: Final = 30_000

_CONNECTION_SHIFT: Final = 40

_log = get(__name__)


class ReceiveOrder:
    """What was received at QoS 1 and 2 and is not acknowledged yet, oldest first.

    mosquitto 2.0 sends a kept session's whole queue at once, whatever was agreed. Ending the
    connection would begin the same again for ever: it is held off instead, see `crowded`.
    """

    def __init__(self, connection: int, receive_maximum: int) -> None:
        self._base = connection << _CONNECTION_SHIFT
        self._limit = receive_maximum
        self._exceeded = False
        self._crowded = False
        self._next = self._base + 1
        self._oldest = self._next
        self._waiting: deque[tuple[int, int]] = deque()
        self._settled: set[int] = set()
        # QoS 2: delivered and not released yet; the broker may send these again.
        self._unreleased: set[int] = set()

    def number(self, packet_id: int, qos: int) -> int:
        """Return the token of a message just received, 0 for a QoS 2 message seen before."""
        if qos == 2:
            if packet_id in self._unreleased:
                return 0
            self._unreleased.add(packet_id)
        if len(self._waiting) == self._limit and not self._exceeded:
            self._exceeded = True
            _log.warning("mqtt.receive_maximum_exceeded", agreed=self._limit)
        self._waiting.append((packet_id, qos))
        token = self._next
        self._next += 1
        return token

    @property
    def crowded(self) -> bool:
        """Tell whether to read nothing more for now."""
        count = len(self._waiting)
        if count >= CROWD:
            self._crowded = True
        elif count < CROWD // 2:
            self._crowded = False
        return self._crowded

    def settle(self, token: int) -> None:
        """Note that a message is durable (or can never be read)."""
        if self._oldest <= token < self._next:
            self._settled.add(token)

    def due(self) -> list[tuple[int, int]]:
        """Return packet id and QoS of what may be acknowledged: nothing overtakes an older one."""
        due = []
        while self._oldest in self._settled:
            self._settled.discard(self._oldest)
            self._oldest += 1
            due.append(self._waiting.popleft())
        return due

    def release(self, packet_id: int) -> bool:
        """Forget a QoS 2 message whose sender released it; return whether it was known."""
        known = packet_id in self._unreleased
        self._unreleased.discard(packet_id)
        return known
