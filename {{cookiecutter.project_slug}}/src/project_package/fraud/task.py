"""What the server needs of the fraud use case: rows, features, the model and responses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle
from ..contract import Columns, Frozen, History, HistoryRows, Model, Task, take
from ..errors import OTHER_CODE, ModelError
from ..explain import effects, log_odds
from ..features.history import merge_history
from ..fields import TIMESTAMP, to_rows
from ..onnx_model import GRAPH, OnnxModel
from ..state.base import open_store
from .features import CARD, DESCRIPTIONS, ENTITIES, INPUTS, RAW, feature_columns, matrix
from .schemas import FraudRequest, FraudResponse, Label, PastPayment, Payment, Reason

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
        score, medians = self.scorer.predict(rows)["score"], self.assets.medians
        decision = self.assets.decide(score)
        wanted = np.flatnonzero(decision | (rows["explain"] > 0) if "explain" in rows else decision)
        moved = np.zeros((len(score), len(INPUTS)), np.float32)
        if len(wanted):  # few rows are: most requests skip this
            inputs = take({name: rows[name] for name in medians}, wanted)
            columns = np.array([INPUTS.index(name) for name in medians])
            predict = self.scorer.predict
            found = effects(lambda r: log_odds(predict(r)["score"])[:, None], inputs, medians)
            moved[np.ix_(wanted, columns)] = found[:, :, 0]
        return {"score": score, "decision": decision, "effects": moved}


def load(bundle: Bundle) -> FraudModel:
    """Load the model of a bundle."""
    assets = Assets.model_validate_json(bundle.files[ASSETS])
    if unknown := assets.medians.keys() - set(INPUTS):
        names = ", ".join(sorted(unknown))
        raise ModelError(f"The code does not declare {names}, {OTHER_CODE}")

    def encode(rows: Columns) -> Columns:
        return {"features": matrix(rows, assets.medians)}

    def decode(_: Columns, outputs: Columns) -> Columns:
        # The sigmoid of ONNX Runtime may exceed 1 in the last bit.
        return {"score": np.minimum(outputs["probabilities"][:, 1], np.float32(1))}

    return FraudModel(OnnxModel(bundle.files[GRAPH], encode, decode), assets)


def request_rows(requests: Sequence[FraudRequest]) -> Columns:
    """Turn requests into rows: the columns of an event, whose label is unknown, and `explain`."""
    return {
        **to_rows([request.transaction for request in requests], Payment),
        "is_fraud": np.full(len(requests), np.nan),
        "explain": np.array([request.explain for request in requests]),
    }


def request_history(request: FraudRequest) -> HistoryRows | None:
    """Return the history of a request, in the order of the table; None when it has none."""
    if not request.history:
        return None if request.history is None else {}
    rows = to_rows(request.history, PastPayment)
    rows = take(rows, np.lexsort((rows["transaction_id"].astype(str), rows[TIMESTAMP])))
    histories = {}
    for entity in ENTITIES:
        mine = rows[entity.name] == getattr(request.transaction, entity.name)
        columns = {name: rows[name] for name in (TIMESTAMP, *entity.columns)}
        histories[entity.name] = take(columns, mine)
    return histories


def history_features(rows: Columns, histories: Sequence[HistoryRows]) -> Columns:
    """Compute the features of payments, each from its own history."""
    names = dict.fromkeys([TIMESTAMP, *RAW, *(entity.name for entity in ENTITIES)])
    merged = merge_history({name: rows[name] for name in names}, histories, ENTITIES)
    return feature_columns(*merged)


def top_reasons(moved: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the indices in `INPUTS` of what moved each score most: (rows, 3), largest first.

    -1 stands for no further reason.
    """
    top = np.argsort(-np.abs(moved), axis=1, kind="stable")[:, :3]
    return np.where(np.take_along_axis(moved, top, axis=1) != 0, top, -1)


def to_responses(_: Columns, predictions: Columns) -> list[FraudResponse]:
    """Turn predictions into responses."""
    scores, moved = predictions["score"].tolist(), predictions["effects"]
    responses = []
    for row, top in enumerate(top_reasons(moved).tolist()):
        reasons = [
            Reason(
                feature=INPUTS[index],
                meaning=DESCRIPTIONS[INPUTS[index]],
                effect=round(float(moved[row, index]), 4),
            )
            for index in top
            if index >= 0
        ]
        decision = "review" if predictions["decision"][row] else "approve"
        responses.append(
            FraudResponse(score=round(scores[row], 7), decision=decision, reasons=reasons)
        )
    return responses


def monitored(rows: Columns, predictions: Columns) -> Columns:
    """Select amount, hour (UTC) and score."""
    hour = rows[TIMESTAMP] // 3_600_000 % 24
    return {"amount": rows["amount"], "hour": hour, "score": predictions["score"]}


HISTORY = History(
    entities=ENTITIES,
    event=PastPayment,
    key=("transaction_id",),
    from_request=request_history,
    features=history_features,
    open_store=open_store,
    request_is_event=True,
    label=Label,
)


def make_task(_: Bundle) -> Task:
    """Build the task, which is the same for every bundle."""
    return Task(
        name="fraud",
        request=FraudRequest,
        response=FraudResponse,
        load=load,
        to_rows=request_rows,
        to_responses=to_responses,
        monitored=monitored,
        entity=CARD,
        id="transaction_id",
        history=HISTORY,
    )
