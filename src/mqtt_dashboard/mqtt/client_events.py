"""What a broker can tell about one client, whatever the words it uses for it.

A reader of a broker's format returns one of these events or raises `Unusable` with the reason.
"""

from dataclasses import dataclass

TAKEN_OVER = "session taken over"
SAID_GOODBYE = "disconnected by the client"
_ROUNDING_S = 0.002


def within(value: int | None, largest: int) -> int | None:
    """Return a number that fits its field, None for one that does not or is not known."""
    return value if value is not None and 0 <= value <= largest else None


class Unusable(Exception):  # noqa: N818 - not an error of ours
    """A message about clients that tells nothing for certain; the text is the reason to count."""


@dataclass(frozen=True)
class Connection:
    """What tells two connections of one client id apart: the peer, or when it was opened."""

    address: str | None = None
    port: int | None = None
    opened_at: float | None = None

    def differs(self, other: "Connection") -> bool:
        """Tell whether these are certainly two connections."""
        if self.port is not None and other.port is not None:
            return (self.address, self.port) != (other.address, other.port)
        if self.opened_at is not None and other.opened_at is not None:
            return abs(self.opened_at - other.opened_at) > _ROUNDING_S
        return False

    def is_same(self, other: "Connection") -> bool:
        """Tell whether these are certainly one connection."""
        return self.port is not None and (self.address, self.port) == (other.address, other.port)


NO_CONNECTION = Connection()


@dataclass(frozen=True)
class ConnectionOpened:
    """Somebody opened a connection; who it is comes later, or never."""

    connection: Connection


@dataclass(frozen=True)
class ClientConnected:
    """A client was let in."""

    client_id: str
    connection: Connection = NO_CONNECTION
    protocol: str | None = None
    clean_start: bool | None = None
    keepalive: int | None = None
    username: str | None = None


@dataclass(frozen=True)
class ClientGone:
    """A connection ended. ``certain``: it was one that had been let in."""

    client_id: str
    reason: str | None
    connection: Connection = NO_CONNECTION
    certain: bool = True


@dataclass(frozen=True)
class ClientRefused:
    """A client was not let in."""

    client_id: str
    reason: str


@dataclass(frozen=True)
class ClientState:
    """The broker keeps it as a fact that a client is connected, or that it is not."""

    client_id: str
    connected: bool


@dataclass(frozen=True)
class SessionEnded:
    """The broker threw the session of an absent client away."""

    client_id: str


@dataclass(frozen=True)
class Subscribed:
    """A client took a filter; several readings when the line does not tell id and filter apart."""

    readings: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True)
class Unsubscribed:
    """A client gave a filter up; several readings when the line does not tell them apart."""

    readings: tuple[tuple[str, str], ...]


Event = (
    ConnectionOpened
    | ClientConnected
    | ClientGone
    | ClientRefused
    | ClientState
    | SessionEnded
    | Subscribed
    | Unsubscribed
)
