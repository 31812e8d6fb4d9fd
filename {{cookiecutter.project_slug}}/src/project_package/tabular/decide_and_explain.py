"""The served model: a class by its threshold or a value with its interval, and reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..bundle import Files
from ..columns import EXPLAIN, Columns, length, take
from ..contract.task import Model, steps_of
from ..explain import effects, log_odds
from ..frozen import Frozen
from .problem import Problem

DETAILS = "model.json"
Curve: TypeAlias = tuple[tuple[int, float], ...]
"""Numbers of training rows, and the score that each gives."""


class Details(Frozen):
    """What the served model needs beside its graph."""

    problem: Problem
    typical: dict[str, float | str]
    """The median or the most frequent value of each feature."""
    offset: float = 0
    """What is added to the value of the graph: float32 adds many small numbers to it less well."""
    threshold: float = 0.5
    """Of the probability of the positive class, where there are two classes."""
    weights: tuple[float, ...] = ()
    """Of the probabilities of more than two classes: the largest product is the prediction."""
    centres: tuple[float, ...] = (0,)
    """Predictions for which the margins of the interval were measured."""
    below: tuple[float, ...] = (0,)
    above: tuple[float, ...] = (0,)
    """Distances to the lower and the upper bound there, interpolated between centres."""
    curve: Curve = ()
    """By the metric of the search, on training rows that were held out; for the report."""

    def files(self) -> Files:
        """Return the file for a bundle."""
        return {DETAILS: self.model_dump_json(indent=2).encode()}

    def decide(self, outputs: Columns) -> Columns:
        """Turn the outputs of a graph into predictions, (rows,) each.

        For classes: probabilities (rows, classes) and prediction, the index of a class. For a
        number: prediction, low and high.
        """
        if self.problem.classes:
            chances = outputs["probabilities"]
            choice = (chances * np.asarray(self.weights or 1, np.float32)).argmax(axis=1)
            if self.problem.kind == "binary":
                choice = (chances[:, 1] >= np.float32(self.threshold)).astype(np.int64)
            return {"probabilities": chances, "prediction": choice}
        value = outputs["variable"].reshape(-1).astype(np.float64) + self.offset
        low = value - np.interp(value, self.centres, self.below)
        return {
            "prediction": value,
            "low": low,
            "high": value + np.interp(value, self.centres, self.above),
        }


@dataclass(frozen=True)
class TabularModel:
    """A graph with its details."""

    graph: Model
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return what `Details.decide` does, and effects: (rows, features) in float32.

        Effects are 0 for rows that do not have 1 in the column `explain`.
        """
        predictions = self.graph.predict(rows)
        problem = self.details.problem
        all_effects = np.zeros((length(rows), len(problem.features)), np.float32)
        if EXPLAIN in rows and rows[EXPLAIN].any():
            wanted = np.flatnonzero(rows[EXPLAIN])
            inputs = take({name: rows[name] for name in problem.features}, wanted)
            effect = effects(self._scores, inputs, self.details.typical)
            chosen = predictions["prediction"][wanted] if problem.classes else 0
            all_effects[wanted] = effect[np.arange(len(wanted)), :, chosen]
        return {**predictions, "effects": all_effects}

    def steps(self, rows: Columns) -> Mapping[str, Columns]:
        """Return those of the graph, and how it is decided."""
        details = self.details
        name, value = {
            "binary": ("threshold", [details.threshold]),
            "multiclass": ("weights", [*details.weights]),
            "regression": ("offset", [details.offset]),
        }[details.problem.kind]
        steps = steps_of(self.graph, rows)
        return {**steps, "decision": {name: np.tile(value, (length(rows), 1))}}

    def _scores(self, rows: Columns) -> NDArray[np.float64]:
        """Return the log-odds of each class, or the value: (rows, scores)."""
        predictions = self.graph.predict(rows)
        if self.details.problem.classes:
            return log_odds(predictions["probabilities"])
        return predictions["prediction"][:, None]
