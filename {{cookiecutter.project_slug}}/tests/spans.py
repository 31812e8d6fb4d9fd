"""The spans that a test records."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Spans:
    """The spans of a test, in the order in which they began, without FastAPI's."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self.exporter = exporter

    def all(self) -> list[ReadableSpan]:
        own = [one for one in self.exporter.get_finished_spans() if self.scope(one) != "fastapi"]
        return sorted(own, key=lambda one: one.start_time or 0)

    def scope(self, span: ReadableSpan) -> str:
        """Return the name of the tracer that opened a span."""
        return span.instrumentation_scope.name if span.instrumentation_scope else ""

    def tree(self) -> list[str]:
        """Return the names, each after its parent's."""
        names = {one.context.span_id: one.name for one in self.all() if one.context}
        parents = [names[one.parent.span_id] if one.parent else "" for one in self.all()]
        return [f"{up} > {one.name}" for up, one in zip(parents, self.all(), strict=True)]

    def shown(self, name: str, what: str) -> Any:
        """Return what MLflow shows of the first span with a name, such as its inputs."""
        found = next(one for one in self.all() if one.name == name).attributes or {}
        return json.loads(str(found[f"mlflow.span{what}"]))


@pytest.fixture
def spans() -> Iterator[Spans]:
    """Record spans from now on; a process has one provider, which stays."""
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        provider = TracerProvider()
        trace.set_tracer_provider(provider)
    exporter = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield Spans(exporter)
    exporter.shutdown()
