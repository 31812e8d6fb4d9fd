"""Choose the version that answers: the champion, or the challenger for a share of the entities."""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns, length, take
from .model_loader import ModelLoader, ServedModel
from .predicted_batch import PredictedBatch, Prediction, make_batch


class Canary:
    """The champion and the challenger, which answers a share of the entities, from 0 to 1."""

    def __init__(self, champion: ModelLoader, challenger: ModelLoader, share: float) -> None:
        self.champion = champion
        self.challenger = challenger
        self.share = share
        self._random = np.random.default_rng()

    def estimate(self, rows: int) -> float:
        """Return the seconds in which the slower version predicts a number of rows."""
        versions = (self.champion.current(), self._challenger())
        return rows * max(served.seconds_per_row for served in versions if served)

    def predict(self, rows: Columns) -> tuple[list[Prediction], list[PredictedBatch]]:
        """Return the prediction for each row, and the batches in which they were made.

        Raises:
            ModelError: the champion cannot answer these rows.
        """
        predictions: dict[int, Prediction] = {}
        batches = []
        for served, positions in self._choose(rows):
            batch = self._predict(served, take(rows, positions))
            predictions.update(zip(positions.tolist(), batch.to_list(), strict=True))
            batches.append(batch)
        return [predictions[position] for position in range(len(predictions))], batches

    def _predict(self, served: ServedModel, rows: Columns) -> PredictedBatch:
        """Predict with a version; the champion answers instead of a challenger that fails."""
        try:
            return make_batch(served, rows, served.predict(rows))
        except Exception as error:  # the model is foreign code: it may raise anything
            if served.alias == self.champion.alias:
                raise
            champion = self.champion.current()
            batch = make_batch(champion, rows, champion.predict(rows))
            # The champion can answer, so the request is not at fault.
            reason = f"Version {served.version} failed on a request: {error!r}"
            self.challenger.reject(reason, served)
            return batch

    def _challenger(self) -> ServedModel | None:
        """Return the challenger if it answers a share of the entities."""
        challenger = self.challenger.served
        return challenger if challenger and self.share and not challenger.is_async else None

    def _choose(self, rows: Columns) -> list[tuple[ServedModel, NDArray[np.int64]]]:
        """Return the versions that answer, each with its rows; an entity always has the same."""
        champion = self.champion.current()
        challenger = self._challenger()
        positions = np.arange(length(rows))
        if challenger is None:
            return [(champion, positions)]
        entity = champion.task.entity
        names = map(str, rows[entity]) if entity else [""] * len(positions)
        draws = np.array([_hash(name) if name else self._random.random() for name in names])
        is_canary = draws < self.share
        parts = ((champion, positions[~is_canary]), (challenger, positions[is_canary]))
        return [(served, part) for served, part in parts if len(part)]


def _hash(name: str) -> float:
    """Return a number in [0, 1) that depends on the name alone."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest()) / 2**64
