"""Every error the product raises on purpose, in one tree.

Raise near the cause, handle at the edge (a loop, a route, a socket handler). The text of an error
is written for the operator: it says what is wrong and, where that is known, what to do.
"""


class DashboardError(Exception):
    """Base of all errors raised on purpose."""


class ConfigError(DashboardError):
    """The settings cannot be used; the process exits with status 2."""


class ContractError(DashboardError):
    """A document from outside does not follow the contract."""


class TopicError(ContractError):
    """A topic or a filter breaks the rules of MQTT 5.0, section 4.7."""


class FieldRefusedError(ContractError):
    """One field of a request is not valid; ``field`` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class BusError(DashboardError):
    """Redis did not do what was asked; `reason` is fit to be shown."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BusTimeoutError(BusError):
    """Redis did not answer in time; whether it did what was asked is unknown."""


class BusRefusedError(BusError):
    """Redis answered, but refused the command: a wrong type of key, or no permission."""


class TooManyAtOnceError(BusError):
    """One visitor, or all together, ask for more at once than there are connections."""


class BusStateError(BusRefusedError):
    """Redis refused, whatever was in the command: it is full, read-only, or a right is missing."""


class AuditKeyError(BusError):
    """The audit record is tied together with another key; nothing was written."""


class FencedError(BusError):
    """Another bridge has taken the lease; nothing was written."""


class FellBackError(BusError):
    """Redis no longer has what was written before: it came back with older data."""


class LinkError(DashboardError):
    """The connection to the MQTT broker failed or was refused; `reason` is fit to be shown."""

    def __init__(self, reason: str, *, code: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class ProtocolVersionRefused(LinkError):  # noqa: N818 - the name says what the broker did
    """The broker does not speak the MQTT version that was offered."""


class QueueFullError(DashboardError):
    """A bounded queue has no room; the caller was not served and is told so."""
