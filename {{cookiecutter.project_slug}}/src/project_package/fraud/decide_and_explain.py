"""The served model: a score, the decision by its threshold, and the reasons for it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns, take
from ..contract.task import Model, steps_of
from ..explain import effects, log_odds
from ..frozen import Frozen
from .features import INPUTS

ASSETS = "assets.json"


class Assets(Frozen):
    """What decisions and reasons need beside the graph."""

    medians: dict[str, float]
    """The inputs of the model in the order of training, each with its median in training."""
    threshold: float

    def decide(self, score: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Flag the payments whose score reaches the threshold."""
        return score >= np.float32(self.threshold)


@dataclass(frozen=True)
class FraudModel:
    """A model of scores, with decisions and the effects of features."""

    scorer: Model
    assets: Assets

    def predict(self, rows: Columns) -> Columns:
        """Return score (float32), decision (bool), each (rows,), and effects (float32).

        Effects have shape (rows, inputs) in the order of `INPUTS`. They are 0 for rows that are
        neither flagged nor have 1 in the column `explain`, and for inputs that are new.
        """
        score = self.scorer.predict(rows)["score"]
        medians = self.assets.medians
        decision = self.assets.decide(score)
        wanted = np.flatnonzero(decision | (rows["explain"] > 0) if "explain" in rows else decision)
        all_effects = np.zeros((len(score), len(INPUTS)), np.float32)
        if len(wanted):  # few rows are: most requests skip this
            inputs = take({name: rows[name] for name in medians}, wanted)
            columns = np.array([INPUTS.index(name) for name in medians])
            predict = self.scorer.predict
            effect = effects(lambda r: log_odds(predict(r)["score"])[:, None], inputs, medians)
            all_effects[np.ix_(wanted, columns)] = effect[:, :, 0]
        return {"score": score, "decision": decision, "effects": all_effects}

    def steps(self, rows: Columns) -> Mapping[str, Columns]:
        """Return those of the scorer, and the decision with its threshold."""
        steps = steps_of(self.scorer, rows)
        decision = self.assets.decide(steps["prediction"]["score"])
        threshold = np.full(len(decision), self.assets.threshold)
        return {**steps, "decision": {"threshold": threshold, "decision": decision}}


def top_reasons(effect: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the indices in `INPUTS` of what moved each score most: (rows, 3), largest first.

    -1 stands for no further reason.
    """
    top = np.argsort(-np.abs(effect), axis=1, kind="stable")[:, :3]
    return np.where(np.take_along_axis(effect, top, axis=1) != 0, top, -1)
