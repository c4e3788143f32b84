"""What a route of the HTTP interface is, as data."""

from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Struct


@dataclass(frozen=True)
class Query:
    """One parameter of a route: in the query, a header, or (``{name}``) the path."""

    name: str
    text: str
    schema: dict[str, Any]
    place: Literal["query", "header", "path"] = "query"
    required: bool = False


@dataclass(frozen=True)
class Route:
    """One method of one path: what it takes and what it answers, by status code.

    A reply is a Struct, or a media type for what is not JSON of ours.
    """

    method: str
    path: str
    name: str
    text: str
    replies: dict[int, tuple[str, type[Struct] | str]]
    query: tuple[Query, ...] = field(default_factory=tuple)
    body: type[Struct] | None = None
