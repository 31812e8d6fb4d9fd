"""The served model: the type of a clause, whether a person has to read it, and the words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ..bundle import Files
from ..columns import EXPLAIN, Columns, take
from ..contract.task import Model, steps_of
from ..explain import log_odds
from ..frozen import Frozen

DETAILS = "model.json"
ROWS_AT_ONCE = 32  # clauses, which are padded to the longest of them
PARTS = 24  # of a clause, at most, whose effects are computed
SHOWN = 3


class Details(Frozen):
    """What the served model needs beside its graph."""

    types: tuple[str, ...]
    inputs: Literal["text", "tokens"]
    """What the graph takes."""
    tokens: int = 0
    """How many the graph reads of a clause."""
    temperature: float = 1
    """By which logits are divided, so that confidence is a probability (Guo et al. 2017)."""
    threshold: float = 1
    """The confidence from which nobody has to read a clause."""

    def files(self) -> Files:
        """Return the file for a bundle."""
        return {DETAILS: self.model_dump_json(indent=2).encode()}

    def decide(self, logits: NDArray[Any]) -> Columns:
        """Return probabilities, (rows, types), and of each row type, confidence and decision."""
        chances = softmax(logits.astype(np.float64) / self.temperature, axis=1)
        confidence = chances.max(axis=1)
        return {
            "probabilities": chances.astype(np.float32),
            "type": np.array(self.types, object)[chances.argmax(axis=1)],
            "confidence": confidence.astype(np.float32),
            "accepted": confidence >= self.threshold,
        }


@dataclass(frozen=True)
class ClauseModel:
    """A graph with types, threshold, and the words that moved an answer."""

    graph: Model
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return what `Details.decide` does, and words: (start, end, effect) of parts of the text.

        Words are empty for rows that do not have 1 in the column `explain`.
        """
        logits = self._run(rows["text"])
        decided = self.details.decide(logits)
        words = np.empty(len(logits), object)
        words[:] = [()] * len(logits)
        for row in np.flatnonzero(rows.get(EXPLAIN, np.zeros(len(logits), np.bool_))):
            words[row] = self._occlude(rows["text"][row], decided["probabilities"][row])
        return {**decided, "words": words}

    def steps(self, rows: Columns) -> Mapping[str, Columns]:
        """Return those of the graph, and the decision with its threshold."""
        decided = self.details.decide(self._run(rows["text"]))
        threshold = np.full(len(rows["text"]), self.details.threshold)
        decision = {name: decided[name] for name in ("type", "confidence", "accepted")}
        return {**steps_of(self.graph, rows), "decision": {**decision, "threshold": threshold}}

    def _run(self, texts: NDArray[Any]) -> NDArray[Any]:
        order = np.argsort([len(text) for text in texts], kind="stable")
        slices = [
            order[start : start + ROWS_AT_ONCE] for start in range(0, len(order), ROWS_AT_ONCE)
        ]
        parts = [self.graph.predict(take({"text": texts}, part))["logits"] for part in slices]
        return np.concatenate(parts)[np.argsort(order, kind="stable")]

    def _occlude(
        self, text: str, probabilities: NDArray[np.float32]
    ) -> tuple[tuple[int, int, float], ...]:
        """Return the parts of a text without which the log-odds of its type fall most."""
        words = [match.span() for match in re.finditer(r"\S+", text)]
        size = -(-len(words) // PARTS)
        parts = [words[start : start + size] for start in range(0, len(words), size)]
        spans = [(part[0][0], part[-1][1]) for part in parts]
        without = np.array([text[:start] + text[end:] for start, end in spans], object)
        answer = int(probabilities.argmax())
        rest = self.details.decide(self._run(without))["probabilities"][:, answer]
        effects = log_odds(probabilities[answer]) - log_odds(rest)
        best = np.argsort(-effects, kind="stable")[:SHOWN]
        return tuple((*spans[index], float(effects[index])) for index in best if effects[index] > 0)
