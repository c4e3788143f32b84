"""Query parameters of requests as what they mean; what cannot be used is refused, not guessed."""

from collections.abc import Sequence
from typing import Final

import flask

from mqtt_dashboard.dashboard.responses import BadQueryError

MOST_DIGITS: Final = 8


def whole_number(name: str, default: int, most: int) -> int:
    """Return a number from 1 to ``most``, or ``default`` when it is not given."""
    text = flask.request.args.get(name)
    if text is None:
        return default
    is_number = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
    if not (is_number and 1 <= int(text) <= most):
        raise BadQueryError(f"{name} must be a whole number from 1 to {most}", name)
    return int(text)


def one_of(name: str, choices: Sequence[str]) -> str:
    """Return one of some words, the first when it is not given."""
    text = flask.request.args.get(name, choices[0])
    if text not in choices:
        raise BadQueryError(f"{name} must be {' or '.join(choices)}", name)
    return text


def wanted_topic() -> str:
    """Return the topic that must be named."""
    topic = flask.request.args.get("topic")
    if not topic:
        raise BadQueryError("name the topic", "topic")
    return topic
