"""P87: what an earlier release wrote to Redis is read by this one, and the other way round.

``golden/`` holds one document of every kind that crosses a process border, as the release before
wrote it, with every field it had. The files are never changed: a new field needs none.
"""

from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from msgspec import Struct

from mqtt_dashboard.contract import (
    audit,
    auth,
    codec,
    commands,
    history,
    messages,
    orders,
    system,
    topic_entry,
)

GOLDEN = Path(__file__).parent / "golden"
IN_JSON: Final[tuple[type[Struct], ...]] = (
    messages.StatsUpdate,
    messages.StatusChange,
    messages.MessageReceived,
    messages.ClientsUpdate,
    messages.TopicsUpdate,
    messages.BridgeStatus,
    messages.WantedFilter,
    commands.PublishCommand,
    commands.SubscribeCommand,
    commands.UnsubscribeCommand,
    commands.CommandReply,
    orders.CommandResult,
    orders.OrderSummary,
    auth.UserRecord,
    auth.TokenRecord,
    auth.SessionRecord,
    audit.AuditEntry,
    system.BridgeAbout,
    system.WorkerReport,
)
PACKED: Final[tuple[type[Struct], ...]] = (
    messages.Batch,
    topic_entry.TopicEntry,
    orders.Order,
    history.StatsPoint,
)


def _name(kind: type[Struct]) -> str:
    return kind.__name__


def holds(new: object, old: object) -> bool:
    """Tell whether a document has all that an older one has, at the same places."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(
            name in new and holds(new[name], value) for name, value in old.items()
        )
    if isinstance(old, list):
        # Packed Structs are lists: new fields come behind the known ones.
        return (
            isinstance(new, list)
            and len(new) >= len(old)
            and all(holds(one, other) for one, other in zip(new, old, strict=False))
        )
    return new == old


def with_news(document: Any, *, packed: bool) -> Any:
    """Return a document as a later release may write it: with fields nobody knows here yet."""
    if isinstance(document, dict):
        return {**document, "from_tomorrow": {"more": [1]}}
    return [*document, {"more": [1]}] if packed else document


@pytest.mark.parametrize("kind", IN_JSON, ids=_name)
def test_documents_of_the_release_before_are_read(kind: type[Struct]) -> None:
    """P87: every field keeps its name, its place and its meaning; unknown ones are ignored."""
    golden = (GOLDEN / f"{kind.__name__}.json").read_bytes()
    plain = msgspec.json.decode(golden)
    read = codec.decode(golden, kind)
    assert holds(msgspec.json.decode(codec.encode(read)), plain)
    assert codec.decode(msgspec.json.encode(with_news(plain, packed=False)), kind) == read


@pytest.mark.parametrize("kind", PACKED, ids=_name)
def test_packed_entries_of_the_release_before_are_read(kind: type[Struct]) -> None:
    """P87: the same for what lies packed in the streams and the index."""
    golden = (GOLDEN / f"{kind.__name__}.msgpack").read_bytes()
    plain = msgspec.msgpack.decode(golden)
    read = msgspec.msgpack.decode(golden, type=kind)
    assert holds(msgspec.msgpack.decode(codec.pack(read)), plain)
    # What a later release adds stands behind all that this one knows.
    known = msgspec.msgpack.decode(codec.pack(read))
    later = msgspec.msgpack.encode(with_news(known, packed=True))
    assert msgspec.msgpack.decode(later, type=kind) == read


def test_every_kind_has_its_document_and_the_comparison_bites() -> None:
    """P82: the tables are the folder; a renamed, moved or lost field is seen."""
    expected = {f"{_name(one)}.json" for one in IN_JSON} | {
        f"{_name(one)}.msgpack" for one in PACKED
    }
    assert {one.name for one in GOLDEN.iterdir()} == expected
    assert holds({"a": [1, {"b": 2, "c": 3}], "d": 4}, {"a": [1, {"b": 2}]})
    for other in ({"a": [1, {"x": 2}]}, {"a": [1]}, {"a": [{"b": 2}, 1]}, {"a": None}, {}):
        assert not holds(other, {"a": [1, {"b": 2}]})
