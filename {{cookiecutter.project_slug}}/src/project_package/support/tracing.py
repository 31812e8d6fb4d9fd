"""Spans for OpenTelemetry of what the assistant does, as MLflow shows them.

They belong to the trace of a request; where none is recorded, they cost next to nothing. Personal
data is masked in all texts.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry.trace import INVALID_SPAN, Span, StatusCode, get_current_span, get_tracer

from ..columns import Columns
from .mask import mask

TRACER = get_tracer(__name__)
SHOWN = ("answer", "refused", "confidence", "by", "usd", "tokens")


@contextmanager
def open_span(name: str, kind: str) -> Iterator[Span]:
    """Open a span of a type of MLflow's, such as RETRIEVER, within one that is recorded.

    It records the type of an error only: a message may quote what was sent.
    """
    if not get_current_span().is_recording():
        yield INVALID_SPAN
        return
    with TRACER.start_as_current_span(
        mask(name), record_exception=False, set_status_on_exception=False
    ) as span:
        describe(span, type=kind)
        try:
            yield span
        except Exception as error:  # of tools and providers, which may raise any
            span.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def describe(span: Span, **values: Any) -> None:
    """Set what MLflow shows of a span that is recorded: `type`, `inputs`, `outputs`."""
    if span.is_recording():
        for name, value in values.items():
            found = masked(value)
            text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
            span.set_attribute(f"mlflow.span{name.capitalize()}", text)


def describe_answers(questions: Sequence[str], predicted: Columns) -> None:
    """Describe the current span by questions and their answers."""
    span = get_current_span()
    if span.is_recording():
        rows = zip(*(predicted[name].tolist() for name in SHOWN), strict=True)
        answers = [dict(zip(SHOWN, row, strict=True)) for row in rows]
        describe(span, inputs={"questions": questions}, outputs={"answers": answers})


def masked(value: Any) -> Any:
    """Mask personal data in the texts and integers of a value."""
    if isinstance(value, dict):
        return {name: masked(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [*map(masked, value)]
    text = str(value)
    is_masked = isinstance(value, str | int) and mask(text) != text
    return mask(text) if is_masked else value
