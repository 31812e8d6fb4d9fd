"""The checks of the data: D1 to D7."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from ..columns import length, take
from ..lifecycle.gate import processor_milliseconds
from .checks import Check, Outcome
from .feature_tests import COVERED, new_feature, tested_features
from .privacy import privacy
from .subject import Subject

Json: TypeAlias = dict[str, Any]
DAMAGED = 3
"""Requests that are damaged, field by field."""
WRONG = (1e300, {"unknown": 1}, [1e300])
"""Values that no field may have; a number or a boolean may not be a text either."""
ROUNDS = 10
"""How often the values of a feature are exchanged."""
SAMPLE = 10_000
"""Test rows in which they are, at most."""
SURE = 2.0
"""By how many standard errors the score must be lower without a feature."""
MOST_TIME = 0.5
"""Share of promote.max_latency_ms that all features of a request may take."""
MOST_BYTES = 100_000
"""Of a column in one row."""
CALLS = 150
"""How many calls are timed."""


def expectations(subject: Subject) -> Outcome:
    """Require that requests are refused whose fields have wrong values."""
    _, requests = subject.asked
    accepted: list[str] = []
    count = 0
    for request in requests[:: len(requests) // DAMAGED][:DAMAGED]:
        body = request.model_dump(mode="json")
        if not is_valid(type(request), body):
            return Outcome(False, "a request that is not damaged was refused")
        for what, damaged in damages(body, type(request)):
            count += 1
            if is_valid(type(request), damaged):
                accepted.append(what)
    found = f"of {count} damaged requests, {len(accepted)} were accepted"
    return Outcome(not accepted, "; ".join([found, *sorted({*accepted})]))


def damages(body: Json, request: type[BaseModel]) -> Iterator[tuple[str, Json]]:
    """Yield what is wrong and the body, for each field and each wrong value of it."""
    for wrong in WRONG:
        for name, damaged in edited(body, partial(replaced, value=wrong)):
            yield f"{name} = {wrong}", damaged
    for name, damaged in edited(body, lambda own, name: {**own, f"{name} unknown": 1}):
        yield f"an unknown field beside {name}", damaged
    for name, damaged in edited(body, as_text):
        if damaged != body:
            yield f"text for the number {name}", damaged
    without = edited(body, lambda own, name: {key: own[key] for key in own if key != name})
    nulls = edited(body, partial(replaced, value=None))
    for (name, damaged), (_, rest) in zip(nulls, without, strict=True):
        if not is_valid(request, rest):
            yield f"null for {name}, which is required", damaged


def replaced(own: Json, name: str, value: Any) -> Json:
    """Return an object in which a field has another value."""
    return {**own, name: value}


def as_text(own: Json, name: str) -> Json:
    """Return an object in which a field has a text, if it has a number."""
    return {**own, name: "wrong"} if isinstance(own[name], int | float) else own


def edited(value: Any, edit: Callable[[Json, str], Json]) -> Iterator[tuple[str, Any]]:
    """Yield the name of each field of a JSON value, and the value with this field edited.

    Of a list, the first item is edited.
    """
    if isinstance(value, list) and value:
        for name, first in edited(value[0], edit):
            yield name, [first, *value[1:]]
    if isinstance(value, dict):
        for key, part in value.items():
            yield key, edit(value, key)
            for name, inner in edited(part, edit):
                yield f"{key}.{name}", {**value, key: inner}


def is_valid(request: type[BaseModel], body: Json) -> bool:
    """Return whether a body is a valid request."""
    try:
        request.model_validate_json(json.dumps(body), strict=True)  # as the server does
    except ValidationError:
        return False
    return True


def usefulness(subject: Subject) -> Outcome:
    """Require that the goal gets worse without each feature, by more than chance explains."""
    goal = subject.project.training.goal
    random = np.random.default_rng(0)
    sample = take(subject.test, random.permutation(length(subject.test))[:SAMPLE])
    lost: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        rows = take(sample, random.permutation(length(sample)))  # so other values are exchanged
        score = goal.score(rows, subject.model.predict(rows))
        for name, without in subject.facts.ablations(rows):
            worse = goal.score(rows, subject.model.predict(without))
            lost[name].append(goal.gain(score, worse))
    sure = {}
    for name, losses in lost.items():
        error = np.std(losses, ddof=1) / np.sqrt(ROUNDS)
        sure[name] = np.mean(losses) > SURE * error
    useless = [f"{name} ({np.mean(lost[name]):.2g})" for name in lost if not sure[name]]
    found = f"{len(lost)} features or groups of features were removed, one at a time; "
    if useless:
        return Outcome(False, f"{found}{goal.label} loses nothing by {', '.join(useless)}")
    least = min(lost, key=lambda name: float(np.mean(lost[name])))
    return Outcome(bool(lost), f"{found}the least is lost by {least}: {np.mean(lost[least]):.2g}")


def cost(subject: Subject) -> Outcome:
    """Require that features take a small part of the time of an answer, and little memory."""
    _, requests = subject.asked
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


DATA = (
    Check(
        "D1",
        "Expectations of the data are in a schema",
        "Each field of example requests gets values of a wrong kind or size, is made null where it "
        "is required, or is joined by an unknown field; each such request has to be refused.",
        "The schema of requests in /docs",
        expectations,
    ),
    Check(
        "D2",
        "Every feature is useful",
        "The values of one feature, or of features that belong together, are replaced by those of "
        f"other test rows, {ROUNDS} times: the goal has to get worse by more than {SURE:g} "
        "standard errors.",
        "The figures of features in reports/report.html",
        usefulness,
    ),
    Check(
        "D3",
        "No feature costs too much",
        "The features of single requests are computed, all together, so that no feature takes "
        f"more: they may take {MOST_TIME:.0%} of promote.max_latency_ms, and a column "
        f"{MOST_BYTES:,} bytes a row.",
        "promote.max_latency_ms in params.toml",
        cost,
    ),
    Check(
        "D4",
        "Features meet requirements: they are no labels and no identifiers",
        "Test rows get the labels, ids and entities of other rows; no answer may change.",
        "The features in the model card, reports/card.md",
        requirements,
    ),
    Check(
        "D5",
        "The pipeline has privacy controls",
        "Requests with unique identifiers are served, and one is refused; prediction log, metrics, "
        "log lines, bundle, evidence and reports are searched for these identifiers and for those "
        "of the data set, and an entity is erased.",
        "`ml erase`",
        privacy,
    ),
    Check(
        "D6",
        "A feature can be added quickly",
        "The test that adds a feature by its declaration is run.",
        "The test in tests/ that adds a feature",
        new_feature,
    ),
    Check(
        "D7",
        "The code of features is tested",
        f"The tests of features are run; they have to run {COVERED:.0%} of the lines of each "
        "module with features.",
        "The tests of features in tests/",
        tested_features,
    ),
)
