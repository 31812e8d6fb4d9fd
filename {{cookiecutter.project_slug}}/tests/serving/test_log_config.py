"""Log lines are JSON with the place of an error, and without what was sent."""

import json
import logging
import sys
from typing import Any

from project_package.serving.log_config import (
    REQUEST_ID,
    JsonFormatter,
)


def line(**fields: Any) -> Any:
    record = logging.makeLogRecord({"msg": "refused", "levelname": "WARNING", **fields})
    return json.loads(JsonFormatter().format(record))


def test_a_line_has_time_level_event_id_and_extra_fields() -> None:
    token = REQUEST_ID.set("abc")
    found = line(created=0.25, route="/v1/predict", status=422)
    REQUEST_ID.reset(token)
    assert found == {
        "time": "1970-01-01T00:00:00.250+00:00",
        "level": "warning",
        "event": "refused",
        "request": "abc",
        "route": "/v1/predict",
        "status": 422,
    }


def test_an_error_has_type_and_place_but_no_message() -> None:
    try:
        raise ValueError("4111111111111111")
    except ValueError:
        found = line(exc_info=sys.exc_info())
    assert found["error"] == "ValueError"
    assert "test_log_config.py:" in found["traceback"][-1]
    assert "4111" not in str(found)
