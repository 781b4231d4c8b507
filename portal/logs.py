"""Logs: one JSON line an event, with request and task ids, and nothing in it that opens a door."""

import logging.config
import re
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

# A signed token, an AWS access key id, a secret after its name: never in a log, whoever writes it.
SECRETS = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|(?i:(?<![a-z])(?:password|secret|token|authorization|session_key|api_key)\w*[\"']?\s*[=:]\s*[\"']?)[^\s\"',}]{4,}"
)
# The secret part of a link that came by mail: whoever reads the path of a request could open it.
LINKS = re.compile(r"(/(?:invitations|contacts/confirm|auth/confirm-email|auth/password/reset/key)/)[^/\s\"'?#]+")
REMOVED = "[removed]"


def remove_secrets(logger: Any, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Structlog processor: cleans every text of an event, tracebacks included."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = LINKS.sub(rf"\1{REMOVED}", SECRETS.sub(REMOVED, value))
    return event


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
            "loggers": {"botocore": {"level": "WARNING"}, "urllib3": {"level": "WARNING"}, "django.server": {"level": "WARNING"}},
        }
    )
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
