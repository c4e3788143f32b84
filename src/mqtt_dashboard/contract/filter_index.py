"""Many filters at once: which of them match a topic, contain a filter, or overlap with one.

A tree of their first levels finds the few that can; `topics` decides, so that what a filter means
is written down once. Deeper levels are not in the tree: a filter of 30,000 levels costs no more
memory than its text.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Self

from mqtt_dashboard.contract import topics

DEPTH: Final = 8


class _Node:
    __slots__ = ("below", "filters")

    def __init__(self) -> None:
        self.below: dict[str, Self] = {}
        self.filters: set[str] = set()

    def deeper(self, levels: tuple[str, ...], depth: int) -> list[tuple[Self, int]]:
        """Return the nodes right below that bear one of some levels, with their depth."""
        below = self.below
        return [(below[level], depth + 1) for level in levels if level in below]


class FilterIndex:
    """A set of filters, found by what they match. Not safe to use from several threads."""

    def __init__(self, filters: Iterable[str] = ()) -> None:
        self._root = _Node()
        self._filters: set[str] = set()
        for one in filters:
            self.add(one)

    def __len__(self) -> int:
        return len(self._filters)

    def __contains__(self, topic_filter: object) -> bool:
        return topic_filter in self._filters

    def add(self, topic_filter: str) -> None:
        """Take a filter in."""
        node = self._root
        for level in _first_levels(topic_filter):
            node = node.below.setdefault(level, _Node())
        node.filters.add(topic_filter)
        self._filters.add(topic_filter)

    def discard(self, topic_filter: str) -> None:
        """Leave a filter out, with the branches that nothing else needs."""
        self._filters.discard(topic_filter)
        path: list[tuple[_Node, str]] = []
        node: _Node | None = self._root
        for level in _first_levels(topic_filter):
            assert node is not None
            path.append((node, level))
            node = node.below.get(level)
            if node is None:
                return
        assert node is not None
        node.filters.discard(topic_filter)
        for above, level in reversed(path):
            below = above.below[level]
            if below.filters or below.below:
                return
            del above.below[level]

    def matching(self, topic: str) -> list[str]:
        """Return the filters that match a topic."""
        levels = _first_levels(topic)
        found: set[str] = set()
        nodes = [(self._root, 0)]
        while nodes:
            node, depth = nodes.pop()
            if (rest := node.below.get("#")) is not None:
                found |= rest.filters
            if depth == len(levels):
                found |= node.filters
                continue
            nodes += node.deeper((levels[depth], "+"), depth)
        return [one for one in found if topics.matches(one, topic)]

    def containing(self, inner: str) -> Iterator[str]:
        """Yield the filters that contain one; a filter contains itself."""
        levels = _first_levels(inner)
        nodes = [(self._root, 0)]
        while nodes:
            node, depth = nodes.pop()
            candidates = [*node.filters] if depth == len(levels) else []
            if (rest := node.below.get("#")) is not None:
                candidates += rest.filters
            yield from (one for one in candidates if topics.contains(one, inner))
            nodes += node.deeper(_wider(levels, depth), depth)

    def overlapping(self, other: str) -> Iterator[str]:
        """Yield the filters that match a topic the other one matches too; it overlaps itself."""
        levels = _first_levels(other)
        nodes = [(self._root, 0)]
        while nodes:
            node, depth = nodes.pop()
            level = levels[depth] if depth < len(levels) else None
            candidates = [*node.filters] if level in {None, "#"} else []
            if (rest := node.below.get("#")) is not None:
                candidates += rest.filters
            yield from (one for one in candidates if topics.overlap(one, other))
            if level in {"+", "#"}:
                deeper = depth + (level == "+")
                nodes += [(one, deeper) for key, one in node.below.items() if key != "#"]
            elif level is not None:
                nodes += node.deeper((level, "+"), depth)


def _first_levels(text: str) -> list[str]:
    return text.split("/", DEPTH)[:DEPTH]


def _wider(levels: list[str], depth: int) -> tuple[str, ...]:
    """Return the levels at one place of filters that contain one with these levels."""
    if depth >= len(levels):
        return ()
    level = levels[depth]
    if level == "#":
        # Every topic has a first level, so "+/#" contains "#".
        return () if depth else ("+",)
    return ("+",) if level == "+" else (level, "+")
