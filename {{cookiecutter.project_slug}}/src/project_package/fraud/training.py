"""Card fraud: is this payment fraud, and what made it look so?"""

from collections.abc import Sequence

import numpy as np

from ..contract import About, Columns, Files, Outcome, UseCase
from .task import API, REASONS, FraudAssets, top, write_assets
from .data import SIMULATOR, FraudParams, batch, collect, examples, history, split
from .metrics import GOAL, METRICS, naive, slices, threshold, weeks
from .features import INPUTS
from .report import figures, words
from .models import CANDIDATES


def about(params: FraudParams) -> About:
    """Say what the model is for, what it was trained on and where it ends."""
    simulated = params.data.source == SIMULATOR
    easier = (
        "Simulated fraud is easier than real fraud: on their real, private data the authors "
        "report an average precision of .105 at best.",
    )
    return About(
        title="Card fraud detection",
        question="Is this card payment fraud?",
        use="An analyst reviews the flagged payments of the day, the highest scores first.",
        misuse="It must not decline a payment or block a card without a person.",
        data="Simulated payments, after the published simulator of Le Borgne et al. (2022)."
        if simulated
        else f"Payments read from {params.data.source}.",
        limits=(
            *(easier if simulated else ()),
            "A label is taken as known seven days after the payment; one that comes later is late "
            "for the features too.",
            "A card without history is judged by its amount and its terminal only.",
        ),
    )


def assets(_: FraudParams, __: Outcome, validation: Sequence[Outcome]) -> Files:
    """Choose the threshold of least cost on the validation weeks."""
    rows = {
        name: np.concatenate([part.rows[name] for part in validation])
        for name in ("is_fraud", "amount", "review_cost")
    }
    scores = np.concatenate([part.outputs["score"] for part in validation])
    chosen = threshold(rows, scores)
    return write_assets(FraudAssets(features=INPUTS, threshold=chosen))


def table(rows: Columns, predictions: Columns) -> Columns:
    """Give the columns of the batch file."""
    places = top(predictions["contributions"])
    reasons = {f"reason_{rank + 1}": np.array(INPUTS)[places[:, rank]] for rank in range(REASONS)}
    return {
        "transaction_id": rows["transaction_id"],
        "score": predictions["score"],
        "decision": np.where(predictions["decision"], "review", "approve"),
        **reasons,
    }


USE_CASE = UseCase(
    api=API,
    params=FraudParams,
    about=about,
    goal=GOAL,
    metrics=METRICS,
    collect=collect,
    split=split,
    candidates=CANDIDATES,
    assets=assets,
    naive=naive,
    periods=weeks,
    units=lambda rows: rows["customer"],
    changed=lambda old, new: old["decision"] != new["decision"],
    slices=slices,
    words=words,
    figures=figures,
    batch=batch,
    table=table,
    history=history,
    examples=examples,
)
