"""The checks of the data: D1 to D7."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from ..columns import length, take
from ..lifecycle.gate import paired_bootstrap, processor_milliseconds
from .checks import Checks, Outcome, interval, listed
from .extremes import violations
from .feature_tests import new_feature, tested_features
from .privacy import privacy
from .request_checks import changed_requests, usual_request
from .subject import Subject

SAMPLE = 10_000
"""Test rows from which features are removed, at most."""
MOST_TIME = 0.5
"""Share of promote.max_latency_ms that all features of a request may take."""
MOST_BYTES = 100_000
"""Of a column in one row."""
CALLS = 150
"""How many calls are timed."""


def expectations(subject: Subject) -> Outcome:
    """Require that requests are refused in which a part breaks the schema."""
    request = usual_request(subject)
    kind = type(subject.requests[0])
    if not is_valid(kind, request):
        return Outcome(False, "a request that is not damaged was refused")
    damaged = [*with_unknown_fields(request)]
    for values_of in (violations, huge):
        damaged += changed_requests(subject, values_of)
    accepted = [json.dumps(one)[:80] for one in damaged if is_valid(kind, one)]
    found = f"{len(damaged)} damaged requests were checked; accepted: {listed(accepted)}"
    return Outcome(bool(damaged) and not accepted, found)


def huge(schema: Mapping[str, Any]) -> list[float]:
    """Return a number that no field should accept."""
    return [1e300] if schema.get("type") in ("number", "integer") else []


def with_unknown_fields(value: Any) -> Iterator[Any]:
    """Yield copies of a JSON value; in each, one object has a field more.

    Of a list, the first item is changed.
    """
    if isinstance(value, list) and value:
        for first in with_unknown_fields(value[0]):
            yield [first, *value[1:]]
    if isinstance(value, dict):
        yield {"unknown field": 1, **value}
        for name, part in value.items():
            for inner in with_unknown_fields(part):
                yield {**value, name: inner}


def is_valid(request: type[BaseModel], body: Any) -> bool:
    """Return whether a body is a valid request."""
    try:
        request.model_validate_json(json.dumps(body), strict=True)  # as the server does
    except ValidationError:
        return False
    return True


def usefulness(subject: Subject) -> Outcome:
    """Require that the goal gets worse without each feature, by more than chance explains."""
    project = subject.project
    order = np.random.default_rng(0).permutation(length(subject.test))[:SAMPLE]
    rows = take(subject.test, np.sort(order))
    usual = subject.model.predict(rows)
    lost = {}
    for name, without in subject.facts.ablations(rows):
        both = (usual, subject.model.predict(without))
        lost[name] = paired_bootstrap(project.training, rows, both, project.params.promote)
    useless = [f"{name} {interval(loss)}" for name, loss in lost.items() if not loss.low > 0]
    found = f"{len(lost)} features or groups of features were removed, one at a time; "
    if useless:
        what = f"{project.training.goal.label} does not clearly get worse without"
        return Outcome(False, f"{found}{what} {listed(useless)}")
    least = min(lost, key=lambda name: lost[name].estimate)
    return Outcome(bool(lost), f"{found}the least is lost by {least}: {interval(lost[least])}")


def cost(subject: Subject) -> Outcome:
    """Require that features take a small part of the time of an answer, and little memory."""
    requests = subject.requests
    to_rows = subject.task.to_rows
    alone = [[request] for request in requests]
    budget = subject.project.params.promote.max_latency_ms
    calls = iter(alone * (CALLS // len(alone) + 1))
    features = processor_milliseconds(lambda: to_rows(next(calls)), calls=CALLS)
    rows = to_rows(alone[0])
    model = processor_milliseconds(lambda: subject.model.predict(rows), calls=CALLS)
    sizes = {name: column_bytes(values) for name, values in to_rows(requests).items()}
    largest = max(sizes, key=lambda name: sizes[name])
    detail = (
        f"all features of a request take {features:.3f} ms, the model {model:.3f} ms, of a budget "
        f"of {budget:g} ms; the largest column is {largest} with {sizes[largest]:,.0f} bytes a row"
    )
    passed = features <= MOST_TIME * budget and sizes[largest] <= MOST_BYTES
    return Outcome(passed, detail)


def column_bytes(values: NDArray[Any]) -> float:
    """Return the bytes of a value of a column, on average; of objects, those of their text."""
    if values.dtype == object:
        return float(np.mean([len(str(value)) for value in values]))
    return values.nbytes / len(values)


def requirements(subject: Subject) -> Outcome:
    """Require that answers do not depend on labels and identifiers."""
    task = subject.task
    monitoring = subject.project.training.monitoring
    labels = {*monitoring.read_labels([])} if monitoring else set()
    forbidden = {*labels, *task.id, *task.entities} & subject.test.keys()
    rows = take(subject.test, slice(SAMPLE))
    others = {**rows, **{name: rows[name][::-1] for name in forbidden}}
    before = subject.model.predict(rows)
    after = subject.model.predict(others)
    changed = [name for name in before if not np.array_equal(before[name], after[name])]
    names = ", ".join(sorted(forbidden))
    if changed:
        return Outcome(False, f"{', '.join(changed)} changes with the values of {names}")
    return Outcome(bool(forbidden), f"answers are the same with other values of {names}")


DATA: Checks = {
    "D1": expectations,
    "D2": usefulness,
    "D3": cost,
    "D4": requirements,
    "D5": privacy,
    "D6": new_feature,
    "D7": tested_features,
}
