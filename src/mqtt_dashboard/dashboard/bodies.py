"""JSON bodies of requests as types of the contract; what cannot be used is raised, not returned."""

from typing import TypeVar

import flask
from msgspec import Struct

from mqtt_dashboard.dashboard.responses import read_body

BodyT = TypeVar("BodyT", bound=Struct)


class BodyError(Exception):
    """The body cannot be used; ``answer`` says why."""

    def __init__(self, answer: flask.Response) -> None:
        super().__init__("unusable body")
        self.answer = answer


def read(kind: type[BodyT]) -> BodyT:
    """Return the body of the request being answered; raise `BodyError`."""
    body = read_body(kind)
    if isinstance(body, flask.Response):
        raise BodyError(body)
    return body
