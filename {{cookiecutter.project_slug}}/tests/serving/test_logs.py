"""The log: JSON lines that tell where, and nothing of what was sent."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

import httpx

from project_package.serving.logs import REQUEST_ID, Lines


def line(**more: Any) -> dict[str, Any]:
    """Give the line of a record, as it is written."""
    record = logging.makeLogRecord({"msg": "refused", "levelname": "WARNING", **more})
    text = Lines().format(record)
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


def test_a_line_has_time_level_event_and_its_fields() -> None:
    found = line(created=0.25, route="/v1/predict", status=422)
    assert found == {
        "time": "1970-01-01T00:00:00.250+00:00",
        "level": "warning",
        "event": "refused",
        "route": "/v1/predict",
        "status": 422,
    }


def test_a_line_of_a_request_has_its_id() -> None:
    token = REQUEST_ID.set("abc")
    assert line()["request"] == "abc"
    REQUEST_ID.reset(token)


def test_an_error_tells_type_and_place_but_not_its_message() -> None:
    try:
        raise ValueError("4111111111111111")
    except ValueError:
        found = line(exc_info=sys.exc_info())
    assert found["error"] == "ValueError"
    assert "test_logs.py:" in found["traceback"][-1]
    assert "4111" not in json.dumps(found)


def test_nothing_that_was_sent_is_in_the_log_of_a_server(started: Callable[..., Any]) -> None:
    server, secret = started(SERVE_MAX_BODY_MB="0.001"), "4111111111111111"
    for path in ("/v1/predict", "/v1/events", "/v1/labels", f"/{secret}", "/v1/model"):
        for headers in ({}, {"X-API-Key": secret}, server.headers, {"X-Request-ID": secret}):
            for body in ({"instances": [{secret: secret}]}, [secret], {"events": [secret * 999]}):
                url = f"{server.url}{path}?card={secret}"
                assert httpx.post(url, json=body, headers=headers).status_code >= 400
    assert server.stop() == 0
    lines = [json.loads(text) for text in server.stderr.read_text().splitlines()]
    assert {line.get("status") for line in lines} >= {401, 404, 405, 413, 422}
    assert all({"time", "level", "event"} <= line.keys() for line in lines)
    assert all(line["request"] for line in lines if "status" in line)
    for text in (secret, server.token):
        assert text not in server.stderr.read_text()
