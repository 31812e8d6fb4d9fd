"""Log records as JSON, one object a line on standard error.

Each line has time, level, event, and the id of the request where there is one. No line holds a
body, a key or an identifier: of an error it has the type and the traceback, but not the message,
which may quote what was sent.
"""

import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

REQUEST_ID: ContextVar[str] = ContextVar("REQUEST_ID", default="")
STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "color_message"}
"""Attributes that every record has; any other one was passed as `extra`."""
PACKAGE = __name__.partition(".")[0]


class JsonFormatter(logging.Formatter):
    """Formats records as JSON; each item of `extra` is a field of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {"time": time, "level": record.levelname.lower()}
        line["event"] = record.getMessage().strip()
        if request := REQUEST_ID.get():
            line["request"] = request
        line |= {name: value for name, value in vars(record).items() if name not in STANDARD}
        if record.exc_info and record.exc_info[0]:
            frames = traceback.extract_tb(record.exc_info[2])
            line["error"] = record.exc_info[0].__name__
            line["traceback"] = [f"{at.filename}:{at.lineno} {at.name}" for at in frames]
        return json.dumps(line, default=str)


def logging_config(quiet: bool) -> dict[str, Any]:
    """Return the configuration for `dictConfig`; `quiet` leaves out information of this project."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": {PACKAGE: {"level": "WARNING" if quiet else "INFO"}},
    }
