"""Logs: one JSON line an event, with request and task ids, and nothing in it that opens a door."""

import logging.config
import re
from collections.abc import MutableMapping
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from structlog.typing import Processor

from portal.redaction import REMOVED, without_secrets

# Our own addresses that open something for whoever has them; also inside `?next=`, where the slashes are encoded, perhaps twice.
SLASH = r"(?:/|%(?:25)*2F)"
LINKS = re.compile(
    rf"({SLASH}(?:invitations|handover|kits{SLASH}report|contacts{SLASH}confirm|confirm-email|reset{SLASH}key){SLASH})"
    # An invitation's id is no secret, and `new` is a page.
    rf"(?!new\b|[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}}\b)(?:(?!{SLASH})[^\s?#&\"'<>\\])+",
    re.IGNORECASE,
)


def clean(text: str) -> str:
    """The text without what opens a door."""
    return LINKS.sub(rf"\1{REMOVED}", without_secrets(text))


def remove_secrets(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: cleans every text of an event, tracebacks included. Names with an underscore are the formatter's own."""
    for key, value in event.items():
        if not key.startswith("_"):
            event[key] = _cleaned(value)
    return event


def _cleaned(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_cleaned(item) for item in value]
    return clean(value if isinstance(value, str) else repr(value))


def is_no_refusal(record: logging.LogRecord) -> bool:
    """Logging filter: Django logs a 403 with its traceback, as if it were a fault; `views.permission_denied` says it in one line."""
    return not (record.exc_info and isinstance(record.exc_info[1], PermissionDenied))


SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.format_exc_info,
    remove_secrets,
]


def configure(level: str) -> None:
    """Our loggers and everybody else's end in the same line format on standard output."""
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
        "foreign_pre_chain": SHARED,
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": formatter},
            "handlers": {"console": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "json"}},
            "root": {"handlers": ["console"], "level": level},
            "filters": {"no_refusals": {"()": lambda: is_no_refusal}},
            "loggers": {
                "botocore": {"level": "WARNING"},
                "google": {"level": "WARNING"},  # left alone, its libraries take their lines out of this format
                "urllib3": {"level": "WARNING"},
                "django.server": {"level": "WARNING"},
                "django.request": {"filters": ["no_refusals"]},
            },
        }
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
