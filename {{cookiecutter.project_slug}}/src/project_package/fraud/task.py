"""What the server needs of the fraud use case: rows, features, the model and responses."""

from collections.abc import Sequence

import numpy as np

from ..bundle import Bundle
from ..columns import TIMESTAMP, Columns, take, to_rows
from ..contract.history import History, HistoryRows, HistoryTask
from ..contract.task import Task
from ..errors import OTHER_CODE, ModelError
from ..features.merge_history import merge_history
from ..features.windows import meanings
from ..onnx_runtime import GRAPH, OnnxModel
from .decide_and_explain import ASSETS, Assets, FraudModel, top_reasons
from .features import CARD, DESCRIPTIONS, ENTITIES, FEATURES, INPUTS, RAW, feature_columns, matrix
from .schemas import FraudRequest, FraudResponse, Label, PastPayment, Payment, Reason


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


def request_history(request: FraudRequest) -> HistoryRows:
    """Return the history of a request, in the order of the table."""
    if not request.history:
        return {}
    rows = to_rows(request.history, PastPayment)
    rows = take(rows, np.lexsort((rows["transaction_id"].astype(str), rows[TIMESTAMP])))
    histories = {}
    for entity in ENTITIES:
        is_same = rows[entity.name] == getattr(request.transaction, entity.name)
        columns = {name: rows[name] for name in (TIMESTAMP, *entity.columns)}
        histories[entity.name] = take(columns, is_same)
    return histories


def history_features(rows: Columns, histories: Sequence[HistoryRows]) -> Columns:
    """Compute the features of payments, each from its own history."""
    names = dict.fromkeys([TIMESTAMP, *RAW, *(entity.name for entity in ENTITIES)])
    merged = merge_history({name: rows[name] for name in names}, histories, ENTITIES)
    return feature_columns(*merged)


def to_responses(_: Columns, predictions: Columns) -> list[FraudResponse]:
    """Turn predictions into responses."""
    scores = predictions["score"].tolist()
    effects = predictions["effects"]
    responses = []
    for row, top in enumerate(top_reasons(effects).tolist()):
        reasons = [
            Reason(
                feature=INPUTS[index],
                meaning=DESCRIPTIONS[INPUTS[index]],
                effect=round(float(effects[row, index]), 4),
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
    to_raw_rows=request_rows,
    needs_store=lambda request: request.history is None,
    from_request=request_history,
    features=history_features,
    request_is_event=True,
    label=Label,
    outcome=("is_fraud",),
)


def make_task(_: Bundle) -> Task:
    """Build the task, which is the same for every bundle."""
    return HistoryTask(
        name="fraud",
        request=FraudRequest,
        response=FraudResponse,
        load=load,
        to_rows=HISTORY.to_rows,
        to_responses=to_responses,
        monitored=monitored,
        outputs=("score",),
        entity=CARD,
        id=HISTORY.key,
        meanings=meanings(FEATURES),
        history=HISTORY,
    )
