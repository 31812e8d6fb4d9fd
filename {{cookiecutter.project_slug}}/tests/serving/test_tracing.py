"""Traces of requests: what a collector gets of them, and what it never gets or costs."""

import gzip
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from multiplying import TIMES, Published, answers, ask
from opentelemetry import trace
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from servers import program, running, wait_until
from spans import Spans

from project_package.columns import Columns

pytestmark = pytest.mark.system
SECRET = "nothing-that-may-be-seen"  # noqa: S105  of a test


@contextmanager
def collector() -> Iterator[tuple[str, list[Any]]]:
    """Run a collector on loopback; yield its address and the spans that it gets."""
    app = FastAPI()
    spans: list[Any] = []

    @app.post("/v1/{signal}")
    async def collect(request: Request, signal: str) -> Response:
        if signal != "traces":
            spans.append(signal)
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        found = ExportTraceServiceRequest.FromString(body)
        spans.extend(s for r in found.resource_spans for o in r.scope_spans for s in o.spans)
        return Response(media_type="application/x-protobuf")

    with running(app) as url:
        yield url, spans


def exporting(url: str, **others: str) -> dict[str, str]:
    """Return the variables with which a server sends its traces to an address."""
    return {
        "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{url}/v1/traces",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        **others,
    }


def test_workers_send_spans_without_what_was_sent(times: Published) -> None:
    times.publish(2, breaks_at=100)
    with collector() as (url, spans), program(times, workers=2, **exporting(url)) as (_, server):
        headers = {"Authorization": f"Bearer {SECRET}", "Cookie": f"session={SECRET}"}
        # One connection a request: uvicorn closes it after an error that nobody expected.
        limits = httpx2.Limits(max_keepalive_connections=0)
        with httpx2.Client(base_url=server, headers=headers, timeout=60, limits=limits) as client:
            assert answers(client, {"x": 3, "who": SECRET}) == [6]
            assert ask(client, {"x": SECRET}).status_code == 422
            assert ask(client, {"x": 1_000, "who": SECRET}).status_code == 500
            client.post(f"/v1/predict?key={SECRET}", json={})
            client.get("/healthz")
        wait_until(lambda: len(spans) == 3)
    statuses = [a.value.int_value for s in spans for a in s.attributes if "status_code" in a.key]
    assert sorted(statuses) == [200, 422, 500]
    assert {span.name for span in spans} == {"POST /v1/predict"}
    assert SECRET not in str(spans)


def test_answers_do_not_wait_for_a_silent_collector(times: Published) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts connections, never answers
        silent.settimeout(30)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        variables = exporting(url, OTEL_EXPORTER_OTLP_TRACES_TIMEOUT="60")
        with (
            program(times, 1, **variables) as (process, server),
            httpx2.Client(base_url=server, timeout=30) as client,
        ):
            assert answers(client, {"x": 3}) == [3]
            export, _ = silent.accept()
            assert answers(client, {"x": 4}) == [4]
            export.settimeout(0.1)
            with export, pytest.raises(TimeoutError):  # the export is not over
                [*iter(lambda: export.recv(65_536), b"")]
            process.kill()


@dataclass(frozen=True)
class Traced:
    """A model with a span of the rows that it gets."""

    def predict(self, rows: Columns) -> Columns:
        with trace.get_tracer("model").start_as_current_span(str(rows["x"].tolist())):
            time.sleep(0.1)
            return {"y": rows["x"], "large": rows["x"] > 10}


def test_spans_of_a_model_are_in_the_trace_of_the_request(times: Published, spans: Spans) -> None:
    times.task = replace(TIMES, load=lambda _: Traced(), slow_requests=True, traces=True)
    times.publish(1)
    numbers = [1.0, 2.0, 3.0, 4.0]

    def send(client: TestClient, x: float) -> None:
        parent = {"traceparent": f"00-{int(x):032x}-{1:016x}-01"}
        client.post("/v1/predict", json={"instances": [{"x": x}]}, headers=parent)

    with TestClient(times.app()) as client, ThreadPoolExecutor(4) as threads:
        for _ in threads.map(partial(send, client), numbers):
            pass
    found = {(one.name, one.context.trace_id) for one in spans.all() if one.context}
    assert {(f"[{x}]", int(x)) for x in numbers} <= found
