"""Card fraud: is this payment fraud, and why does it look like it?"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..bundle import Contents
from ..columns import TIMESTAMP, Columns
from ..contract.checklist import Checklist, permuted
from ..contract.history_training import HistoryTraining
from ..contract.training import Fitted, Outcome
from ..explain import reason_columns
from ..xgboost_on_workers import share_fits
from .about import about
from .dataset import batch_history, compute_features, examples, load_data, read_batch, recent_events
from .decide_and_explain import ASSETS, Assets
from .features import FEATURE_GROUPS, INPUTS
from .figures import figures, summary
from .groups import groups
from .metrics import METRICS, naive, slices, threshold, weeks
from .models import CANDIDATES
from .monitoring import make_monitoring
from .params import FraudParams
from .simulation import make_simulation
from .split import split
from .task import make_task

PARAMS = FraudParams
"""The type of the parameters."""


@dataclass(frozen=True)
class Finished:
    """A fitted classifier with the assets that decisions need."""

    fitted: Fitted
    assets: Assets

    def predict(self, rows: Columns) -> Columns:
        """Return score and decision; effects are computed from scores."""
        score = self.fitted.predict(rows)["score"]
        return {"score": score, "decision": self.assets.decide(score)}

    def files(self) -> Contents:
        """Return the graph and the assets."""
        assets = self.assets.model_dump_json(indent=2).encode()
        return {**self.fitted.files(), ASSETS: assets}


def finish(_: FraudParams, fitted: Fitted, rows: Columns, validation: Outcome) -> Finished:
    """Choose the threshold of least cost on the validation weeks; compute medians of training."""
    medians = {name: float(np.median(rows[name])) for name in INPUTS}
    chosen = threshold(validation.rows, validation.predictions["score"])
    return Finished(fitted, Assets(medians=medians, threshold=chosen))


def batch_table(rows: Columns, predictions: Columns) -> Columns:
    """Return the columns of the file of predictions.

    Without `--explain`, payments that are not flagged have no reasons.
    """
    return {
        "transaction_id": rows["transaction_id"],
        "score": predictions["score"],
        "decision": np.where(predictions["decision"], "review", "approve"),
        **reason_columns(predictions["effects"], INPUTS),
    }


def make_training(params: FraudParams, _: Path) -> HistoryTraining:
    """Make the training."""
    return HistoryTraining(
        make_task=make_task,
        load_data=load_data,
        compute_features=compute_features,
        split=split,
        candidates=share_fits(CANDIDATES, params.xgboost.workers),
        metrics=METRICS,
        naive=naive,
        about=about,
        summary=summary,
        figures=figures,
        read_batch=read_batch,
        batch_history=batch_history,
        batch_table=batch_table,
        examples=examples,
        finish=finish,
        periods=weeks,
        groups=lambda rows: rows["customer"],
        slices=slices,
        recent_events=recent_events,
        file_reasons=True,
        monitoring=make_monitoring(params),
        simulation=make_simulation(params.data),
        checklist=Checklist(
            ablations=partial(permuted, groups=FEATURE_GROUPS, inputs=INPUTS),
            feature_tests="fraud/test_features.py",
            feature_modules=("fraud.features",),
            new_feature_test="fraud/test_new_column.py",
            groups=groups,
            time=TIMESTAMP,
        ),
    )
