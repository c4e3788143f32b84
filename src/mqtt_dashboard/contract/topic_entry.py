"""A topic of the index as it lies in Redis.

Whoever reaches Redis can write there, so numbers have bounds: what lies outside is no entry.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

# Unix seconds; the year 5138. NaN and infinities lie outside, too.
LATEST: Final = 1e11

Time = Annotated[float, Meta(ge=0, le=LATEST)]
Number = Annotated[int, Meta(ge=0, le=2**62)]


class TopicEntry(Struct, array_like=True, frozen=True, gc=False):
    """A topic of the index: its last value and its account.

    ``payload`` holds at most the index's value limit, ``size`` the full length in bytes. ``rate``
    is messages per second as of ``last_seen``, ``null`` while unknown (0 in old entries): the
    inverse of the usual time between two messages. Since then it can only have fallen: to at most
    1 / silence. Messages up to ``seq`` of ``epoch`` are taken into account.
    """

    topic: Annotated[str, Meta(min_length=1, max_length=65535)]
    payload: bytes
    size: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    qos: Annotated[int, Meta(ge=0, le=2)]
    retained: bool
    message_count: Number
    first_seen: Time
    last_seen: Time
    rate: Annotated[float, Meta(ge=0, le=1e12)] | None
    epoch: Number = 0
    seq: Number = 0
