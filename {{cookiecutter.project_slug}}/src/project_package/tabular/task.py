"""What the server needs: a request type from the columns of the table, and the served model."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from pydantic import BaseModel

from ..bundle import Bundle
from ..columns import EXPLAIN, Columns, milliseconds, stack
from ..contract.task import Task
from ..onnx_runtime import GRAPH, OnnxModel
from .decide_and_explain import DETAILS, REASONS, Details, TabularModel
from .lags import before_columns
from .problem import Problem
from .schemas import ClassResponse, NumberResponse, Reason, describe, label_type, request_type

MONITORED = 20  # features in the prediction log
LOGGED = 100  # characters of a category there
INTERVAL = ("prediction", "low", "high")  # of a number
OUTPUTS = ("answer probability", *(f"answer {name}" for name in INTERVAL))


def graph_inputs(problem: Problem, rows: Columns) -> Columns:
    """Return the inputs of a graph: numbers in float32, the others as text, (rows, columns) each.

    A kind of feature that the table does not have is not an input.
    """
    inputs = {}
    if problem.numbers:
        inputs["numbers"] = stack(rows, problem.numbers)
    for kind, names in (("categories", problem.categories), ("texts", problem.texts)):
        if names:
            inputs[kind] = np.stack([rows[name] for name in names], axis=1)
    return inputs


def load(bundle: Bundle) -> TabularModel:
    """Load the model of a bundle."""
    details = Details.model_validate_json(bundle.files[DETAILS])
    graph = OnnxModel(
        bundle.files[GRAPH],
        encode=lambda rows: graph_inputs(details.problem, rows),
        decode=lambda _, outputs: details.decide(outputs),
    )
    return TabularModel(graph, details)


def to_rows(problem: Problem, requests: Sequence[Any]) -> Columns:
    """Turn requests into rows; identifiers that they leave out are empty."""
    values: dict[str, Any] = {}
    for index, name in enumerate(problem.requested):
        values[name] = [getattr(request, f"column_{index}") for request in requests]
        if problem.table.columns[name].type == "date":
            values[name] = [None if m is None else milliseconds([m])[0] for m in values[name]]
    for index, (field, name) in enumerate(before_columns(problem.table).items()):
        none = [None] * problem.table.columns[name].longest
        lists = [getattr(request, f"before_{index}") for request in requests]
        values[field] = np.array([[*known, *none][: len(none)] for known in lists], np.float64)
    named = {
        name: np.array([value or "" for value in values[name]], object)
        for name in problem.table.of_role("id", "group")
    }
    explain = np.array([request.explain for request in requests])
    return {**problem.encode(values), **named, EXPLAIN: explain}


def to_responses(problem: Problem, _: Columns, predictions: Columns) -> list[BaseModel]:
    """Turn predictions into responses."""
    responses: list[BaseModel] = []
    top = np.argsort(-np.abs(predictions["effects"]), axis=1, kind="stable")[:, :REASONS]
    for row, value in enumerate(predictions["prediction"].tolist()):
        effects = predictions["effects"][row]
        reasons = tuple(
            Reason(feature=problem.features[index], effect=effects[index])
            for index in top[row]
            if effects[index]
        )
        if problem.classes:
            shares = zip(problem.classes, predictions["probabilities"][row].tolist(), strict=True)
            name = problem.classes[value]
            answer = ClassResponse(prediction=name, probabilities=dict(shares), reasons=reasons)
            responses.append(answer)
        else:
            low = predictions["low"][row]
            high = predictions["high"][row]
            responses.append(NumberResponse(prediction=value, low=low, high=high, reasons=reasons))
    return responses


def monitored(problem: Problem, rows: Columns, predictions: Columns) -> Columns:
    """Select the first features, of texts the number of words, and the answers under own names."""
    if problem.classes:
        answers = {OUTPUTS[0]: predictions["probabilities"][:, -1]}
    else:
        answers = {f"answer {name}": predictions[name] for name in INTERVAL}
    features = {name: rows[name] for name in problem.features[:MONITORED]}
    for name in features.keys() & problem.categories:
        features[name] = np.array([value[:LOGGED] for value in rows[name]], object)
    for name in features.keys() & problem.texts:  # a text may be personal
        features[name] = np.array([value.count(" ") - 1.0 for value in rows[name]])
    return {**features, **answers}


def make_task(bundle: Bundle) -> Task:
    """Build the task, whose request has the columns of the bundle's table."""
    problem = Details.model_validate_json(bundle.files[DETAILS]).problem
    return Task(
        name=f"tabular, {problem.target}",
        request=request_type(problem),
        response=ClassResponse if problem.classes else NumberResponse,
        load=load,
        to_rows=partial(to_rows, problem),
        to_responses=partial(to_responses, problem),
        monitored=partial(monitored, problem),
        outputs=OUTPUTS,
        unseen=problem.unseen,
        entity=problem.column_of("group") or problem.column_of("id"),
        id=problem.table.of_role("id"),
        label=label_type(problem),
        meanings={name: describe(column) for name, column in problem.inputs.items()},
    )
