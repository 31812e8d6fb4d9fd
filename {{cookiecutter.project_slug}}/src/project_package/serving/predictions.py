"""Predict rows with the version that answers them: the champion, or the challenger for a share."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..contract import Columns, HistoryRows, length, take
from ..errors import CODE_ERRORS, ModelError
from .model_loader import ModelLoader, ServedModel


class Answer(NamedTuple):
    """The answer to one instance; the response is JSON."""

    version: str
    response: str


@dataclass(frozen=True)
class Answered:
    """Rows, with their features, that one version answered in one batch."""

    served: ServedModel
    rows: Columns
    predictions: Columns
    answers: Sequence[str]
    """The responses as JSON, (rows,)."""

    @cached_property
    def monitored(self) -> Columns:
        """The values of rows and predictions that are worth watching, (rows,) each."""
        return self.served.task.monitored(self.rows, self.predictions)


def respond(served: ServedModel, rows: Columns, predictions: Columns) -> Answered:
    """Turn predictions into responses."""
    responses = served.task.to_responses(rows, predictions)
    return Answered(served, rows, predictions, [one.model_dump_json() for one in responses])


class Versions:
    """The versions that may answer, and the share of entities that the challenger answers."""

    def __init__(self, champion: ModelLoader, challenger: ModelLoader, canary: float) -> None:
        self.champion, self.challenger, self.canary = champion, challenger, canary
        self._random = np.random.default_rng()

    def estimate(self, rows: int) -> float:
        """Return the seconds that the slower version takes for so many rows."""
        versions = (self.champion.current(), self.challenger.served)
        return rows * max(served.seconds_per_row for served in versions if served)

    def predict(
        self, rows: Columns, histories: Sequence[HistoryRows]
    ) -> tuple[list[Answer], list[Answered]]:
        """Return the answer to each row, and the batches in which they were predicted.

        Raises:
            ModelError: the champion cannot answer these rows.
        """
        answers: dict[int, Answer] = {}
        batches = []
        for served, positions in self._choose(rows):
            part = take(rows, positions)
            earlier = [histories[i] for i in positions] if histories else []
            try:
                batch = _predict(served, part, earlier)
            except (ModelError, *CODE_ERRORS) as error:
                if served.alias == self.champion.alias:
                    raise
                batch = _predict(self.champion.current(), part, earlier)
                reason = f"Version {served.version} failed on a request: {error!r}"
                self.challenger.refuse(reason, served)
            found = [Answer(batch.served.version, response) for response in batch.answers]
            answers.update(zip(positions.tolist(), found, strict=True))
            batches.append(batch)
        return [answers[position] for position in range(len(answers))], batches

    def _choose(self, rows: Columns) -> list[tuple[ServedModel, NDArray[np.int64]]]:
        """Return the versions that answer, each with its rows; an entity always has the same."""
        champion, challenger = self.champion.current(), self.challenger.served
        positions = np.arange(length(rows))
        if challenger is None or challenger.is_async or not self.canary:
            return [(champion, positions)]
        entity = champion.task.entity
        names = map(str, rows[entity]) if entity else [""] * len(positions)
        draws = np.array([_hash(name) if name else self._random.random() for name in names])
        is_canary = draws < self.canary
        parts = ((champion, positions[~is_canary]), (challenger, positions[is_canary]))
        return [(served, part) for served, part in parts if len(part)]


def _predict(served: ServedModel, rows: Columns, histories: Sequence[HistoryRows]) -> Answered:
    rows = served.task.add_features(rows, histories)
    return respond(served, rows, served.predict(rows))


def _hash(name: str) -> float:
    """Return a number in [0, 1) that depends on the name alone."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) / 2**64
