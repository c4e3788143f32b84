"""How much of a list goes into a document: bounded in bytes, because names are strangers' choice.

Escapes count: a control character takes six bytes in JSON.
"""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

PartT = TypeVar("PartT")


def weight(part: object) -> int:
    """Return how many bytes a part takes in a document."""
    return len(msgspec.json.encode(part))


def that_fit(parts: Iterable[PartT], room: int) -> list[PartT]:
    """Return the parts that fit into ``room`` bytes together; one that does not is passed over."""
    kept = []
    for part in parts:
        size = weight(part) + 1
        if size <= room:
            room -= size
            kept.append(part)
    return kept
