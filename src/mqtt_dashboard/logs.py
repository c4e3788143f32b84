"""Logging: event names with keys and values, JSON in containers, text on a terminal.

Everything goes through the standard library, so libraries join in. Values are escaped by the
renderer: a topic cannot inject a line or a terminal sequence.
"""

import logging
import sys
from typing import Any

import structlog

from mqtt_dashboard.config import LogSettings


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
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def get(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger; events are short dotted names, details are keywords."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def _escape_values(_logger: Any, _method: str, event: structlog.typing.EventDict) -> Any:
    for key, value in event.items():
        if isinstance(value, str) and key != "exc_info" and not value.isprintable():
            event[key] = ascii(value)[1:-1]
    return event
