"""Weekly demand: how many units of a product will be sold next week, and how sure is that?"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ..columns import EXPLAIN, TIMESTAMP, Columns
from ..contract.checklist import Checklist, permuted
from ..contract.history_training import HistoryTraining
from ..contract.training import Outcome
from ..explain import reason_columns
from .about import about
from .dataset import batch_history, compute_features, examples, load_data, read_batch, recent_events
from .features import FEATURE_GROUPS, INPUTS, PRODUCT
from .figures import figures, importance, summary
from .groups import groups
from .metrics import METRICS, conformal_factors, naive, slices
from .models import CANDIDATES, Quantiles
from .monitoring import MONITORING
from .params import DemandParams
from .simulation import SIMULATION
from .split import split
from .task import Details, make_task

PARAMS = DemandParams
"""The type of the parameters."""


def finish(_: DemandParams, fitted: Quantiles, rows: Columns, validation: Outcome) -> Quantiles:
    """Correct the bounds by factors of the validation weeks; compute medians of training."""
    low, high = conformal_factors(validation.rows["units"], validation.predictions)
    medians = {name: float(np.median(rows[name])) for name in INPUTS}
    return replace(fitted, details=Details(low_factor=low, high_factor=high, typical=medians))


def batch_table(rows: Columns, predictions: Columns) -> Columns:
    """Return product, week and forecast; with `--explain`, what moved it most."""
    forecast = {name: predictions[name] for name in ("value", "low", "high")}
    reasons = reason_columns(predictions["effects"], INPUTS) if EXPLAIN in rows else {}
    return {PRODUCT: rows[PRODUCT], "week": rows["week"], **forecast, **reasons}


def forecasts_differ(old: Columns, new: Columns) -> np.typing.NDArray[np.bool_]:
    """Return the rows whose forecast rounds to another number of units."""
    return np.asarray(np.rint(old["value"]) != np.rint(new["value"]))


def make_training(_: DemandParams, __: Path) -> HistoryTraining:
    """Make the training, which is the same for all parameters."""
    return HistoryTraining(
        make_task=make_task,
        load_data=load_data,
        compute_features=compute_features,
        split=split,
        candidates=CANDIDATES,
        metrics=METRICS,
        naive=naive,
        about=about,
        summary=summary,
        figures=figures,
        importance=importance,
        read_batch=read_batch,
        batch_history=batch_history,
        batch_table=batch_table,
        examples=examples,
        finish=finish,
        periods=lambda rows: rows[TIMESTAMP],
        pooled=True,
        groups=lambda rows: rows[PRODUCT],
        slices=slices,
        answer_changes=forecasts_differ,
        recent_events=recent_events,
        file_reasons=True,
        monitoring=MONITORING,
        simulation=SIMULATION,
        checklist=Checklist(
            ablations=partial(permuted, groups=FEATURE_GROUPS, inputs=INPUTS),
            feature_tests="demand/test_features.py",
            feature_modules=("demand.features",),
            new_feature_test="demand/test_new_feature.py",
            groups=groups,
            time=TIMESTAMP,
        ),
    )
