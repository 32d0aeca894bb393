"""What is logged, for a person or for a program."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum

__all__ = ["LogFormat", "LogLevel", "set_up_logging"]


class LogFormat(StrEnum):
    """How a line looks."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least that is told."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_FIELDS = ("device", "unit", "event", "kind", "repeated")


class _JsonLines(logging.Formatter):
    """One JSON object for each record, with the fields of a device's event where there are any."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in _FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class _Text(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return _time(record)


def set_up_logging(level: LogLevel, form: LogFormat) -> None:
    """Log to stderr; once for the process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines() if form is LogFormat.JSON else _Text("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level.value.upper(), handlers=[handler], force=True)
    # the reader tells what goes wrong in its own words; pymodbus would say it again for each request
    logging.getLogger("pymodbus").propagate = False


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return moment.removesuffix("+00:00") + "Z"
