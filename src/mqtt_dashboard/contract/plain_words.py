"""What does not fit a type of the contract, in words for people instead of a validator's."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mqtt_dashboard.contract.auth import LABEL_PATTERN, USER_PATTERN
from mqtt_dashboard.contract.commands import IDENTIFIER_PATTERN

_PATH: Final = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`\Z")
_KINDS: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "nothing",
    "bytes": "bytes",
}
_PATTERNS: Final = {
    repr(USER_PATTERN): "1 to 64 letters, digits or . _ @ + - are allowed, the first a letter or "
    "a digit",
    repr(LABEL_PATTERN): "control characters are not allowed",
    repr(IDENTIFIER_PATTERN): "1 to 64 letters, digits or . _ : - are allowed",
}
_UNITS: Final = {"str": "characters", "bytes": "bytes", "array": "entries", "object": "entries"}
_LENGTHS: Final = {
    ("characters", ">="): "at least {} characters are needed",
    ("characters", "<="): "at most {} characters are allowed",
    ("characters", ""): "exactly {} characters are needed",
    ("bytes", ">="): "at least {} bytes are needed",
    ("bytes", "<="): "at most {} bytes are allowed",
    ("bytes", ""): "exactly {} bytes are needed",
    ("entries", ">="): "at least {} entries are needed",
    ("entries", "<="): "at most {} entries are allowed",
    ("entries", ""): "exactly {} entries are needed",
}
_BOUNDS: Final = {">=": "{} or more", "<=": "{} or less", ">": "more than {}", "<": "less than {}"}


@dataclass(frozen=True)
class Told:
    """Which field does not fit, None when it is the whole document, and what must be different."""

    field: str | None
    words: str


def told(message: str) -> Told:
    """Return what a validator's sentence says; an unknown one is left as it is."""
    place = _PATH.search(message)
    field = place[1] if place else ""
    body = message[: place.start()] if place else message
    for pattern, words in _SENTENCES:
        found = pattern.fullmatch(body)
        if found is not None:
            if "field" in found.groupdict():
                field = f"{field}.{found['field']}" if field else found["field"]
            return Told(field or None, words(found))
    return Told(field or None, body)


def sentence(message: str) -> str:
    """Return the same in one line, with the field before it."""
    found = told(message)
    return found.words if found.field is None else f"{found.field}: {found.words}"


def _length(found: re.Match[str]) -> str:
    kind, sign, number = found["kind"], found["sign"], found["number"]
    unit = _UNITS.get(kind, "entries")
    if sign == ">=" and number == "1":
        return "must not be empty"
    return _LENGTHS[unit, sign].format(number)


def _bound(found: re.Match[str]) -> str:
    number = f"{float(found['number']):.15g}"
    return f"must be {_BOUNDS[found['sign']].format(number)}"


def _kind(found: re.Match[str]) -> str:
    wanted = " or ".join(_KINDS.get(one, one) for one in found["wanted"].split(" | "))
    return f"must be {wanted}, not {_KINDS.get(found['got'], found['got'])}"


_SENTENCES: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]] = (
    (
        re.compile(r"Object missing required field `(?P<field>[^`]*)`"),
        lambda _: "this field is missing",
    ),
    (
        re.compile(r"Object contains unknown field `(?P<field>[^`]*)`"),
        lambda _: "there is no such field",
    ),
    (
        re.compile(r"Expected `str` matching regex (?P<pattern>.*)"),
        lambda found: _PATTERNS.get(found["pattern"], "some of the characters are not allowed"),
    ),
    (
        re.compile(
            r"Expected `(?P<kind>\w+)` of length (?P<sign>>=|<=|)\s?(?P<number>\d+)(, got \d+)?"
        ),
        _length,
    ),
    (
        re.compile(r"Expected `(?:int|float)` (?P<sign>>=|<=|>|<) (?P<number>-?[\d.e+-]+)"),
        _bound,
    ),
    (re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`"), _kind),
    (
        re.compile(r"Invalid enum value (?P<value>.*)", re.DOTALL),
        lambda found: f"{found['value']} is none of the possible values",
    ),
    (re.compile(r"Invalid base64 encoded string"), lambda _: "must be base64"),
)
