"""How the quality of a table's model is computed from the prediction log."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..columns import Columns
from ..contract.monitoring import Monitoring
from ..contract.training import Metric, Outcome
from .problem import Problem
from .task import INTERVAL


def read_answers(problem: Problem, logged: Columns) -> Outcome:
    """Return the monitored features, and the predictions as a model makes them."""
    answers = logged["answer"]
    rows = {name: values for name, values in logged.items() if name != "answer"}
    if not problem.classes:
        return Outcome(rows, {n: np.array([a[n] for a in answers], np.float64) for n in INTERVAL})
    shares = [[answer["probabilities"][name] for name in problem.classes] for answer in answers]
    codes = {name: code for code, name in enumerate(problem.classes)}
    predictions = {
        "probabilities": np.array(shares, np.float64).reshape(-1, len(codes)),
        "prediction": np.array([codes[answer["prediction"]] for answer in answers], np.int64),
    }
    return Outcome(rows, predictions)


def read_labels(problem: Problem, labels: Sequence[Mapping[str, Any]]) -> Columns:
    """Return the target, as in the rows of training."""
    values = [label[problem.target] for label in labels]
    if not problem.classes:
        return {problem.target: np.array(values, np.float64)}
    codes = {name: code for code, name in enumerate(problem.classes)}
    return {problem.target: np.array([codes[value] for value in values], np.int64)}


def write_labels(problem: Problem, rows: Columns) -> list[dict[str, Any]]:
    """Return targets, classes by their names."""
    values = rows[problem.target].tolist()
    return [{problem.target: problem.classes[v] if problem.classes else v} for v in values]


def make_monitoring(problem: Problem, metrics: Sequence[Metric]) -> Monitoring:
    """Return how a table's model is monitored; values of a number have no probabilities."""
    return Monitoring(
        metrics=tuple(metric.name for metric in metrics),
        read_answers=partial(read_answers, problem),
        read_labels=partial(read_labels, problem),
        write_labels=partial(write_labels, problem),
        target=problem.target,
        probabilities=(lambda made: made["probabilities"]) if problem.classes else None,
    )
