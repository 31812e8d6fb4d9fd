"""Card fraud: is this payment fraud, and why does it look like it?"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..contract import Columns, Files
from ..training import About, Fitted, Outcome, Training
from .data import SIMULATOR, FraudParams, examples, load_data, read_batch, recent_events, split
from .features import INPUTS
from .metrics import METRICS, average_precision, naive, slices, threshold, weeks
from .models import CANDIDATES
from .report import figures, summary
from .task import ASSETS, Assets, make_task, top_reasons

SIMULATOR_LIMITS = (
    "Simulated fraud is easier than real fraud: on their real, private data the authors report an "
    "average precision of .105 at best.",
)


def about(params: FraudParams) -> About:
    """Describe the model for the report and the model card."""
    simulated = params.data.source == SIMULATOR
    return About(
        title="Card fraud detection",
        question="Is this card payment fraud?",
        use="An analyst reviews the flagged payments of the day, the highest scores first.",
        misuse="It must not decline a payment or block a card without a person.",
        data="Simulated payments, after the published simulator of Le Borgne et al. (2022)."
        if simulated
        else f"Payments read from {params.data.source}.",
        limits=(
            *(SIMULATOR_LIMITS if simulated else ()),
            "Labels are expected within seven days of the payment; until a label arrives, the "
            "features count the payment as genuine.",
            "A card without history is scored by its amount and its terminal only.",
        ),
        rows="payments",
        periods="weeks",
        baselines="The simple baseline is a logistic regression on the same features. “No model” "
        "ranks payments by their amount, and flags none.",
        terms={
            "amount": "in the currency of the data",
            "night": "from 0:00 to 6:59, UTC; day is the rest",
            "terminal with history": "it had a payment in the 30 days before",
            "scenario": "all genuine payments and the frauds of one kind. Large amount: above 220. "
            "Compromised terminal: all its payments of 28 days. Stolen card: a third of its "
            "payments of 14 days, five times as large",
        },
    )


@dataclass(frozen=True)
class Finished:
    """A fitted classifier with the assets that decisions need."""

    fitted: Fitted
    assets: Assets

    def predict(self, rows: Columns) -> Columns:
        """Return score and decision; effects are computed from scores."""
        score = self.fitted.predict(rows)["score"]
        return {"score": score, "decision": self.assets.decide(score)}

    def files(self) -> Files:
        """Return the graph and the assets."""
        assets = self.assets.model_dump_json(indent=2).encode()
        return {**self.fitted.files(), ASSETS: assets}


def finish(_: FraudParams, fitted: Fitted, rows: Columns, validation: Outcome) -> Finished:
    """Choose the threshold of least cost on the validation weeks; compute medians of training."""
    medians = {name: float(np.median(rows[name])) for name in INPUTS}
    chosen = threshold(validation.rows, validation.predictions["score"])
    return Finished(fitted, Assets(medians=medians, threshold=chosen))


def batch_table(rows: Columns, predictions: Columns) -> Columns:
    """Return the columns of the file of predictions; reasons of flagged payments only."""
    names = np.array([*INPUTS, ""], object)
    reasons = names[top_reasons(predictions["effects"])].T
    return {
        "transaction_id": rows["transaction_id"],
        "score": predictions["score"],
        "decision": np.where(predictions["decision"], "review", "approve"),
        **{f"reason_{rank}": column for rank, column in enumerate(reasons, 1)},
    }


TRAINING = Training(
    make_task=make_task,
    params=FraudParams,
    load_data=load_data,
    split=split,
    candidates=CANDIDATES,
    metrics=METRICS,
    weighted=lambda rows, p: partial(average_precision, rows["is_fraud"], p["score"]),
    naive=naive,
    about=about,
    summary=summary,
    figures=figures,
    read_batch=read_batch,
    batch_table=batch_table,
    examples=examples,
    finish=finish,
    periods=weeks,
    groups=lambda rows: rows["customer"],
    slices=slices,
    recent_events=recent_events,
)
