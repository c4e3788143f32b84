"""Logging: event names with keys and values, JSON in containers, text on a terminal.

Everything goes through the standard library, so libraries join in. Values are escaped by the
renderer: a topic cannot inject a line or a terminal sequence. Lines that repeat are left out and
counted (P13).
"""

import atexit
import logging
import sys
from typing import Any, Final

import structlog

from mqtt_dashboard.config import LogSettings
from mqtt_dashboard.log_repeats import Event, Repeats

# Marks a line that only says how many were left out.
_SAID: Final = "_said"
_LONGEST_NAME: Final = 200


def configure(settings: LogSettings) -> None:
    """Set up logging for this process; everything is written to standard error."""
    as_json = settings.format == "json" or (settings.format == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [_escape_values, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    repeats = Repeats(_say_repeated)
    thinned = Thinned(repeats)
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(thinned.lets_record_pass)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                _add_repeated,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            thinned,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    atexit.register(repeats.tell_all)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger; events are short dotted names, details are keywords."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


class Thinned:
    """Leaves out lines that repeat: ours as a processor, those of libraries as a filter."""

    def __init__(self, repeats: Repeats) -> None:
        self._repeats = repeats

    def __call__(self, logger: Any, method: str, event: structlog.typing.EventDict) -> Any:
        """Return the line with what was left out before it, or drop it."""
        if event.pop(_SAID, False):
            return event
        before = self._repeats.ask(Event(logger.name, method, str(event.get("event"))))
        if before is None:
            raise structlog.DropEvent
        if before:
            event["repeated"] = before
        return event

    def lets_record_pass(self, record: logging.LogRecord) -> bool:
        """Decide about a line of a library; its text before values were put in names the event."""
        if isinstance(record.msg, dict):
            return True  # ours: decided already
        name = str(record.msg)[:_LONGEST_NAME]
        before = self._repeats.ask(Event(record.name, record.levelname.lower(), name))
        record.repeated = before
        return before is not None


def _say_repeated(event: Event, left_out: int) -> None:
    level = "error" if event.level == "exception" else event.level
    logger = get(event.logger)
    getattr(logger, level, logger.info)(event.name, repeated=left_out, **{_SAID: True})


def _add_repeated(_logger: Any, _method: str, event: structlog.typing.EventDict) -> Any:
    if before := getattr(event["_record"], "repeated", None):
        event["repeated"] = before
    return event


def _escape_values(_logger: Any, _method: str, event: structlog.typing.EventDict) -> Any:
    for key, value in event.items():
        if isinstance(value, str) and key != "exc_info" and not value.isprintable():
            event[key] = ascii(value)[1:-1]
    return event
