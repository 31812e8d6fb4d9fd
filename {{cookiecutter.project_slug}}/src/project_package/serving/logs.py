"""The log: one JSON object a line on standard error, for people and for machines.

Each has time, level, event, and the request's id where there is a request. No line holds a body, a
key or a customer's id: of an error, the log tells where it was and of which type, and leaves out
its message, which may hold what was sent.
"""

import json
import logging
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

REQUEST_ID: ContextVar[str] = ContextVar("REQUEST_ID", default="")
"""The request that is answered now."""
ALWAYS = {*vars(logging.makeLogRecord({})), "message", "asctime", "color_message"}
PACKAGE = __name__.partition(".")[0]


class Lines(logging.Formatter):
    """Records as JSON; what a caller gives as `extra` are fields of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """Give one line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "time": when,
            "level": record.levelname.lower(),
            "event": record.getMessage().strip(),
        }
        if request := REQUEST_ID.get():
            line["request"] = request
        line |= {name: value for name, value in vars(record).items() if name not in ALWAYS}
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["traceback"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(record.exc_info[2])
            ]
        return json.dumps(line, default=str)


def start(quiet: bool = False) -> None:
    """Send every log of this process there: warnings, and of ours what is good to know too."""
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger(PACKAGE).setLevel(logging.WARNING if quiet else logging.INFO)
