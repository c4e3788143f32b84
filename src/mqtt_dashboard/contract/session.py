"""What the bridge writes down of its MQTT session, for itself after a restart."""

from typing import Annotated

from msgspec import Meta, Struct


class SessionFilter(Struct, kw_only=True, frozen=True):
    """A filter the broker holds, or may hold, in the bridge's session.

    ``session`` names the session: client id and broker. ``complete``: its retained messages came.
    ``identifier`` is its subscription identifier (MQTT 5.0, 3.8.2.1.2), 0 for none. ``rank`` is the
    order in which filters were granted at their final QoS, 0 before that.
    """

    filter: str
    session: str
    complete: bool = False
    identifier: Annotated[int, Meta(ge=0, le=268_435_455)] = 0
    rank: Annotated[int, Meta(ge=0)] = 0
