"""What a validator says, in words for people."""

from typing import Any

import msgspec
import pytest

from mqtt_dashboard.contract import plain_words
from mqtt_dashboard.contract.auth import TokenCreate, UserCreate
from mqtt_dashboard.contract.commands import CommandReply, SubscribeCommand
from mqtt_dashboard.contract.orders import CommandRequest, CommandWatch

GOOD = {"name": "ada", "password": "x" * 12}
CASES: list[tuple[type[Any], dict[str, Any], str | None, str]] = [
    (UserCreate, {**GOOD, "name": "../x"}, "name", "letters, digits"),
    (UserCreate, {**GOOD, "name": ""}, "name", "must not be empty"),
    (UserCreate, {**GOOD, "name": "x" * 70}, "name", "at most 64 characters"),
    (UserCreate, {**GOOD, "password": "x"}, "password", "at least 12 characters"),
    (UserCreate, {**GOOD, "role": "king"}, "role", "'king'"),
    (UserCreate, {**GOOD, "read": ["a"] * 99}, "read", "at most 64 entries"),
    (UserCreate, {**GOOD, "read": ["a", ""]}, "read[1]", "must not be empty"),
    (UserCreate, {**GOOD, "read": 7}, "read", "a list or nothing, not a whole number"),
    (UserCreate, {"name": "ada"}, "password", "missing"),
    (UserCreate, {**GOOD, "colour": 1}, "colour", "no such field"),
    (TokenCreate, {"label": "a\nb"}, "label", "control characters"),
    (TokenCreate, {"label": "a", "lifetime_s": 1}, "lifetime_s", "60 or more"),
    (TokenCreate, {"label": "a", "lifetime_s": 10**9}, "lifetime_s", "31622400 or less"),
    (TokenCreate, {"label": "a", "lifetime_s": 60.5}, "lifetime_s", "a whole number"),
    (CommandRequest, {"topic": "a", "deadline_s": 0}, "deadline_s", "more than 0"),
    (CommandRequest, {"topic": "a", "correlation_data": "!"}, "correlation_data", "base64"),
    (CommandRequest, {"topic": "a", "retain": "x"}, "retain", "true or false, not a text"),
    (CommandRequest, {"topic": "a", "user_properties": [["a"]]}, "user_properties[0]", "2 entries"),
    (CommandWatch, {"id": "!"}, "id", "letters, digits"),
    (SubscribeCommand, {"topic": "a", "ttl_s": 0}, "ttl_s", "more than 0"),
    (CommandReply, {"id": "a", "state": "acked", "reason": None}, "reason", "a text, not nothing"),
]


@pytest.mark.parametrize(("kind", "fields", "field", "words"), CASES, ids=str)
def test_each_refusal_is_told_in_words(
    kind: type[Any], fields: dict[str, Any], field: str | None, words: str
) -> None:
    """The field by its name, and what must be different; no expression and no type of Python."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(fields, kind)
    found = plain_words.told(str(caught.value))
    assert found.field == field
    assert words in found.words
    for raw in ("`", "regex", "$.", "\\A", "str", "Expected", "enum"):
        assert raw not in found.words
    assert plain_words.sentence(str(caught.value)) == f"{field}: {found.words}"


def test_what_is_not_known_is_passed_on() -> None:
    """A sentence of another kind stays as it is."""
    assert plain_words.sentence("JSON is malformed: trailing characters") == (
        "JSON is malformed: trailing characters"
    )
