"""Alarms are posted once; gauges and metrics have the newest figures."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from project_package.bundle import Interval
from project_package.lifecycle.workspace import Workspace
from project_package.monitoring.findings import Alarm, Findings, WindowResult
from project_package.monitoring.notify import post_alarms, write_gauges

NOW = datetime.now(UTC)


class Chat(HTTPServer):
    """A chat service that keeps what is posted."""

    texts: list[str]
    status = 200


class Handler(BaseHTTPRequestHandler):
    server: Chat

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.texts.append(json.loads(body)["text"])
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def chat() -> Iterator[Chat]:
    with Chat(("127.0.0.1", 0), Handler) as server:
        server.texts = []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def project(chat: Chat, tmp_path: Any) -> Any:
    url = SecretStr(f"http://127.0.0.1:{chat.server_port}/secret")
    (tmp_path / "reports").mkdir()
    printed: list[str] = []
    return SimpleNamespace(
        printed=printed,
        console=SimpleNamespace(print=printed.append),
        workspace=Workspace(tmp_path),
        params=SimpleNamespace(name="fraud"),
        settings=SimpleNamespace(monitor_webhook=url),
    )


def found(*reasons: str, version: str = "3") -> Findings:
    window = WindowResult(
        start=NOW,
        end=NOW,
        rows=10,
        labelled=5,
        version=version,
        drifts=(),
        realised=Interval(0.5, 0.4, 0.6),
        estimated=None,
        scores={},
    )
    alarms = [Alarm.model_validate({"reason": r, "detail": f"{r} is high"}) for r in reasons]
    return Findings(version=version, goal="goal", windows=(window,), alarms=tuple(alarms))


def test_an_alarm_is_posted_once_until_it_was_not_raised(project: Any, chat: Chat) -> None:
    for reasons in (("drift",), ("drift", "quality"), (), ("drift",)):
        post_alarms(project, found(*reasons))
    assert [text.splitlines()[1:] for text in chat.texts] == [
        ["- drift: drift is high"],
        ["- quality: quality is high"],
        ["- drift: drift is high"],
    ]
    assert chat.texts[0].startswith("fraud, version 3:")


def test_another_version_has_alarms_of_its_own(project: Any, chat: Chat) -> None:
    post_alarms(project, found("drift"))
    post_alarms(project, found("drift", version="4"))
    assert len(chat.texts) == 2


def test_an_alarm_that_is_not_accepted_is_posted_again(project: Any, chat: Chat) -> None:
    chat.status = 500
    post_alarms(project, found("drift"))
    (printed,) = project.printed
    assert printed == "MONITOR_WEBHOOK does not accept an alarm: HTTPStatusError."
    chat.status = 200
    post_alarms(project, found("drift"))
    assert len(chat.texts) == 2


def test_without_a_webhook_nothing_is_posted(project: Any, chat: Chat) -> None:
    project.settings.monitor_webhook = SecretStr("")
    post_alarms(project, found("drift"))
    assert chat.texts == []


def test_gauges_have_alarms_and_scores(project: Any) -> None:
    write_gauges(project, found("drift"))
    text = (project.workspace.reports / "monitor.prom").read_text()
    assert 'monitor_alarm{reason="drift"} 1.0' in text
    assert 'monitor_alarm{reason="quality"} 0.0' in text
    assert 'monitor_score{kind="realised"} 0.5' in text
    assert "estimated" not in text
