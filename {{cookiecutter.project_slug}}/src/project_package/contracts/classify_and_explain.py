"""The served model: the type of a clause, whether a person has to read it, and the words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle import Files
from ..columns import EXPLAIN, Columns
from ..contract.task import Model, steps_of
from ..explain import log_odds
from ..frozen import Frozen

DETAILS = "model.json"
PARTS = 24  # of a clause, at most, whose effects are computed
SHOWN = 3


class Details(Frozen):
    """What the served model needs beside its graphs."""

    types: tuple[str, ...]
    tokens: int = 0
    """How many the language model reads of a clause, if there is one."""
    temperature: float = 1
    """It divides log-probabilities, so that confidence is a probability (Guo et al. 2017)."""
    threshold: float = 2
    """The confidence from which nobody has to read a clause."""

    def files(self) -> Files:
        """Return the file for a bundle."""
        return {DETAILS: self.model_dump_json(indent=2).encode()}

    def decide(self, probabilities: NDArray[Any]) -> Columns:
        """Return probabilities, (rows, types), and of each row type, confidence and decision."""
        scaled = probabilities.astype(np.float64) ** (1 / self.temperature)
        chances = scaled / scaled.sum(axis=1, keepdims=True)
        confidence = chances.max(axis=1)
        return {
            "probabilities": chances.astype(np.float32),
            "type": np.array(self.types, object)[chances.argmax(axis=1)],
            "confidence": confidence.astype(np.float32),
            "accepted": confidence >= self.threshold,
        }


@dataclass(frozen=True)
class ClauseModel:
    """Graphs whose probabilities are averaged, and the words that moved an answer."""

    graphs: tuple[Model, ...]
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return what `Details.decide` does, and words, (rows, SHOWN, 3), the strongest first.

        These are start, end and effect of parts of the text. The effect is 0 where there is none,
        as in rows that do not have 1 in the column `explain`.
        """
        decided = self._decide(rows["text"])
        words = np.zeros((len(rows["text"]), SHOWN, 3))
        for row in np.flatnonzero(rows.get(EXPLAIN, np.zeros(len(words), np.bool_))):
            words[row] = self._occlude(rows["text"][row], decided["probabilities"][row])
        return {**decided, "words": words}

    def steps(self, rows: Columns) -> Mapping[str, Columns]:
        """Return those of each graph, and the decision with its threshold."""
        decided = self._decide(rows["text"])
        graphs = {
            f"{name} of graph {number}": columns
            for number, graph in enumerate(self.graphs, 1)
            for name, columns in steps_of(graph, rows).items()
        }
        threshold = np.full(len(rows["text"]), self.details.threshold)
        decision = {name: decided[name] for name in ("type", "confidence", "accepted")}
        return {**graphs, "decision": {**decision, "threshold": threshold}}

    def _decide(self, texts: NDArray[Any]) -> Columns:
        """Average the graphs and decide, clause by clause.

        One thread is as fast with one clause as with several that are padded to the longest, and no
        answer depends on the clauses beside it: int8 products have one range for all of them.
        """
        means = [np.zeros((0, len(self.details.types)))]
        for row in range(len(texts)):
            found = [graph.predict({"text": texts[row : row + 1]}) for graph in self.graphs]
            means.append(np.mean([columns["probabilities"] for columns in found], axis=0))
        return self.details.decide(np.concatenate(means))

    def _occlude(self, text: str, probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the parts of a text without which the log-odds of its type fall most."""
        words = [match.span() for match in re.finditer(r"\S+", text)]
        if not words:
            return np.zeros((SHOWN, 3))
        size = -(-len(words) // PARTS)
        parts = [words[start : start + size] for start in range(0, len(words), size)]
        spans = np.array([(part[0][0], part[-1][1]) for part in parts])
        without = np.array([text[:start] + text[end:] for start, end in spans], object)
        answer = probabilities.argmax()
        rest = self._decide(without)["probabilities"][:, answer]
        effects = log_odds(probabilities[answer]) - log_odds(rest)
        best = [index for index in np.argsort(-effects)[:SHOWN] if effects[index] > 0]
        found = np.zeros((SHOWN, 3))
        found[: len(best)] = np.column_stack([spans[best], effects[best]])
        return found
