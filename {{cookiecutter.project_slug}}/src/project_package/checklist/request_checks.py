"""The checks of monitoring that ask a server: O2, O3 and O5."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import httpx2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from ..bundle import Bundle
from ..columns import Columns, concatenate, take
from ..contract.task import Task
from ..monitoring.drift import compare
from ..monitoring.quality import has_scores
from ..monitoring.skew import differ
from ..reference import REFERENCE, Numbers, Reference
from .checks import Outcome, listed
from .extremes import all_extreme, extremes, variants, violations
from .subject import Subject, ask

TOLERANCE = 1e-6
"""Relative difference of numbers in float32."""
ROWS = 200
"""Rows whose columns are replaced by NaN."""
UNKNOWN = "\x01"


def invariants(subject: Subject) -> Outcome:
    """Break each monitored input, and requests: monitoring and the server must notice all."""
    limits = subject.project.params.monitor
    reference = Reference.model_validate_json(subject.bundle.files[REFERENCE])
    values = subject.task.monitored(subject.test, subject.predictions)
    wrong = [drift.name for drift in compare(reference, values, limits) if drift.is_broken]
    missed = []
    for name, how, broken in broken_inputs(reference, values, limits.broken):
        (drift,) = compare(reference, {name: broken}, limits)
        if not drift.is_broken:
            missed.append(f"{name} {how}")
    accepted = []
    requests = [*changed_requests(subject, violations)]
    with subject.serve() as client:
        for request in requests:
            answer = ask(client, request)
            accepted += [] if answer.status_code == 422 else [json.dumps(request)[:80]]
    detail = (
        f"broken on the test rows: {listed(wrong)}; broken inputs that raised no alarm: "
        f"{listed(missed)}; of {len(requests)} requests that break a rule, not refused: "
        f"{listed(accepted)}"
    )
    return Outcome(not (wrong or missed or accepted) and bool(requests), detail)


def broken_inputs(
    reference: Reference, values: Columns, limit: float
) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Yield monitored inputs, how they are broken, and the broken values."""
    for name, column in reference.columns.items():
        if name in reference.outputs:
            continue
        rows = len(values[name])
        is_number = isinstance(column, Numbers)
        if column.counts[-1] / reference.rows < 1 - limit:  # others can hardly miss more
            missing = np.full(rows, np.nan) if is_number else np.full(rows, "", object)
            yield name, "missing", missing
        if isinstance(column, Numbers):
            far = 10 * (abs(column.low) + abs(column.high) + 1)
            yield name, "out of range", np.full(rows, far)
        elif not column.counts[-2]:
            yield name, "unknown", np.full(rows, UNKNOWN, object)


def changed_requests(subject: Subject, values_of: Any) -> Iterator[Any]:
    """Yield a request of usual length with one part after the other changed."""
    schema = subject.task.request.model_json_schema()
    yield from variants(schema, usual_request(subject), values_of, schema.get("$defs", {}))


def usual_request(subject: Subject) -> Any:
    """Return a request of a test row, of median length, as JSON."""
    texts = sorted((request.model_dump_json() for request in subject.requests), key=len)
    return json.loads(texts[len(texts) // 2])


def skew(subject: Subject) -> Outcome:
    """Compare the features that a server computes of requests with those of the test rows."""
    rows = subject.requested_rows
    requests = subject.requests
    computed: list[Columns] = []

    def make_task(bundle: Bundle) -> Task:
        task = subject.project.training.make_task(bundle)

        def to_rows(asked: Sequence[Any]) -> Columns:
            computed.append(task.to_rows(asked))
            return computed[-1]

        return replace(task, to_rows=to_rows)

    training = replace(subject.project.training, make_task=make_task)
    recorded = replace(subject, project=replace(subject.project, training=training))
    with recorded.serve() as client:
        computed.clear()  # of the examples, with which the server starts
        for request in requests:
            ask(client, request.model_dump(mode="json")).raise_for_status()
    served = concatenate(computed)
    names = features_of(subject.task, requests[:1], served) & rows.keys()
    shares = {n: float(differ(rows[n], served[n], TOLERANCE).mean()) for n in sorted(names)}
    worst = max(shares, key=shares.__getitem__)
    found = f"{worst} differs in {shares[worst]:.1%} of them" if shares[worst] else "all are equal"
    detail = f"{len(shares)} columns of {len(requests)} requests against the test rows: {found}"
    return Outcome(not shares[worst], detail)


def features_of(task: Task, requests: Sequence[BaseModel], rows: Columns) -> set[str]:
    """Return the columns of rows that are features; ids are pseudonyms."""
    history = getattr(task, "history", None)  # of a HistoryTask, which not every project has
    if history:  # the other columns are raw: a label is not known yet
        earlier = [history.from_request(request) for request in requests]
        return {*history.features(history.to_raw_rows(requests), earlier)}
    return {*rows} - {task.entity, *task.id}


def stability(subject: Subject) -> Outcome:
    """Send extremes to a server, and put NaN into rows: no answer may be NaN or an error."""
    schema = subject.task.request.model_json_schema()
    usual = usual_request(subject)
    requests = [*changed_requests(subject, extremes)]
    requests += all_extreme(schema, usual, schema.get("$defs", {}))
    problems = []
    answered = 0
    with subject.serve() as client:
        for request in requests:
            answer = ask(client, request)
            answered += answer.status_code == 200
            if problem := find_problem(subject.task, answer):
                problems.append(f"{problem} of {json.dumps(request)[:80]}")
    wrong = [*unstable_columns(subject)]
    detail = (
        f"of {len(requests)} requests with extremes, {answered} were answered with numbers; "
        f"wrong answers: {listed(problems)}; columns whose NaN or extremes give predictions that "
        f"are NaN: {listed(wrong)}"
    )
    return Outcome(not (problems or wrong) and answered > 0, detail)


def find_problem(task: Task, answer: httpx2.Response) -> str:
    """Return what is wrong with an answer; empty if it has all numbers, or is a refusal."""
    if answer.status_code == 422:
        return ""
    if answer.status_code != 200:
        return f"status {answer.status_code}"
    try:
        for prediction in answer.json()["predictions"]:  # NaN has become null
            task.response.model_validate_json(json.dumps(prediction, allow_nan=False))
    except (ValidationError, ValueError) as error:
        return str(error).partition("\n")[0]
    return ""


def unstable_columns(subject: Subject) -> Iterator[str]:
    """Yield the columns whose NaN or extreme values make predictions NaN; the model may refuse."""
    rows = take(subject.test, slice(ROWS))
    usual = has_scores(subject.model.predict(rows))
    for name, values in rows.items():
        extreme = {"f": (np.nan,), "u": (0, 255)}.get(values.dtype.kind, ())
        for value in extreme:  # pixels have no NaN
            try:
                predictions = subject.model.predict({**rows, name: np.full_like(values, value)})
            except Exception:  # noqa: BLE001, S112  the model may raise any: it refuses these rows
                continue
            if (usual & ~has_scores(predictions)).any():
                yield name
                break
