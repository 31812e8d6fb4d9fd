"""MLflow reads the traces of the server: a conversation with a ticket, and answers."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import mlflow
import pytest
from mlflow.entities import Span, SpanType, Trace
from servers import Server, wait_until

support = pytest.mark.parametrize("use_case", ["support"], indirect=True, scope="session")
EXPERIMENT = "1"  # that of the project, the first
QUESTION = "Is a building permit required for a fence or a plank?"
CONTACT = "mail anna@example.com, card 4111 1111 1111 1111"
PERSONAL = ("anna", "4111", "C-1")


@contextmanager
def mlflow_server(trained: Path, folder: Path) -> Iterator[str]:
    """Start MLflow on a copy of the project's database, as `make runs` does."""
    shutil.copy(trained / "mlflow.db", folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "mlflow", "ui", "--workers=1", "--port", port]
    command += ["--backend-store-uri", "sqlite:///mlflow.db"]
    own = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with subprocess.Popen(
        command, cwd=folder, env=os.environ | own, start_new_session=True
    ) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 9)


def is_up(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/health").is_success
    except httpx2.TransportError:
        return False


def talk(server: Server) -> None:
    """Ask for a ticket, approve it, and ask two questions in one body."""
    with httpx2.Client(base_url=server.url, headers=server.headers, timeout=60) as client:
        ticket = {"role": "user", "content": f"I want a ticket: {CONTACT}."}
        chat = "/v1/chat/completions"
        asked = client.post(chat, json={"user": "C-1", "messages": [ticket]}).json()
        approval = {"approval_id": asked["approval"]["id"], "approve": True}
        approval |= {"user": "C-1", "thread_id": asked["thread_id"]}
        assert client.post(chat, json=approval).is_success
        questions = [QUESTION, f"Who won? {CONTACT}"]
        instances = [{"question": one, "customer_id": "C-1"} for one in questions]
        assert client.post("/v1/predict", json={"instances": instances}).is_success


def spans(trace: Trace, kind: str = "") -> list[Span]:
    """Return the spans of a type, or all, in the order in which they began."""
    found = [span for span in trace.data.spans if kind in {"", span.span_type}]
    return sorted(found, key=lambda one: one.start_time_ns)


def names(trace: Trace) -> list[str]:
    return [span.name for span in spans(trace)]


@support
def test_mlflow_shows_turns_and_answers(
    trained: Path, started: Callable[..., Server], tmp_path: Path
) -> None:
    with mlflow_server(trained, tmp_path) as url:
        variables = {
            "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{url}/v1/traces",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": f"x-mlflow-experiment-id={EXPERIMENT}",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        server = started(**variables)
        wait_until(lambda: is_up(url), seconds=60)
        talk(server)
        client = mlflow.MlflowClient(url)
        found: list[Trace] = []

        def is_complete() -> bool:
            traces = client.search_traces([EXPERIMENT], order_by=["timestamp_ms"])
            found[:] = [one for one in traces if "POST" in names(one)[0]]  # not of `ml evaluate`
            return len(found) == 3 and all(trace.info.request_preview for trace in found)

        wait_until(is_complete)
    asking, approving, predicting = found
    assert names(asking) == ["POST /v1/chat/completions", "plan", "approve"]
    assert names(approving) == [names(asking)[0], "approve", "open_ticket", "plan"]
    assert names(predicting) == ["POST /v1/predict", "search", "search"]
    sessions = {one.info.request_metadata["mlflow.trace.session"] for one in (asking, approving)}
    assert len(sessions) == 1
    (tool,) = spans(approving, SpanType.TOOL)
    assert tool.inputs == {"subject": "I want a ticket: mail [email], card [card]."}
    assert "Ticket 1 is open" in str(tool.outputs)
    first, second = spans(predicting, SpanType.RETRIEVER)
    assert first.inputs == {"question": QUESTION}
    assert second.inputs == {"question": "Who won? mail [email], card [card]"}
    documents: Any = first.outputs
    assert len(documents) == 5
    assert documents[0]["metadata"]["doc_uri"].startswith("en/")
    root = spans(predicting)[0]
    assert [one["refused"] for one in root.outputs["answers"]] == [False, True]
    texts = str([trace.to_json() for trace in found])
    assert not [word for word in PERSONAL if word in texts]
