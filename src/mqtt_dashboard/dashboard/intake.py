"""Bodies of requests, before anything reads them: plain, and not slower than they may be.

A compressed body is refused unread: nobody here needs one, and a small one can become a large one.
A body that trickles in keeps a place that others could use, so it ends with 408. One whose chunks
are none is the client's mistake, not ours.
"""

import time
from collections.abc import Callable
from typing import Any, Final

import gevent
from gevent import monkey
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    NoMoreData,
    ParseException,
)
from werkzeug.exceptions import BadRequest, RequestTimeout

Environ = dict[str, Any]

# For a whole body, from the end of the headers on.
WHOLE_S: Final = 20.0
PLAIN: Final = {"", "identity"}


def is_packed(environ: Environ) -> bool:
    """Tell whether a body is compressed."""
    return str(environ.get("HTTP_CONTENT_ENCODING", "")).strip().lower() not in PLAIN


def bound(environ: Environ) -> None:
    """Give up reading the body of a request when it takes too long."""
    source = environ.get("wsgi.input")
    if source is not None and _has_body(environ) and monkey.is_module_patched("socket"):
        environ["wsgi.input"] = TimedInput(source)


class TimedInput:
    """A request's body that has to arrive whole and in time.

    Raises `RequestTimeout` (408) or `BadRequest` (400).
    """

    def __init__(self, source: Any) -> None:
        self._source = source
        self._end = time.monotonic() + WHOLE_S

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes; all there are when it is negative."""
        return self._timed(lambda: self._source.read(size))

    def readline(self, size: int = -1) -> bytes:
        """Return bytes up to the end of a line."""
        return self._timed(lambda: self._source.readline(size))

    def _timed(self, read: Callable[[], bytes]) -> bytes:
        # Time-outs of the socket would begin anew with every byte.
        late = RequestTimeout("the body took too long to arrive")
        try:
            with gevent.Timeout(max(0.001, self._end - time.monotonic()), late):
                return read()
        except (ParseException, NoMoreData) as error:
            raise BadRequest("the body is cut short or not in the chunks it should be") from error


def _has_body(environ: Environ) -> bool:
    chunked = "HTTP_TRANSFER_ENCODING" in environ
    return chunked or str(environ.get("CONTENT_LENGTH") or "0") != "0"
