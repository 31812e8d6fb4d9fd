"""Assemble the training of the recommendations: what will this household buy next?"""

from functools import partial
from pathlib import Path

from ..columns import TIMESTAMP, Columns
from ..contract.checklist import Checklist
from ..contract.history_training import HistoryTraining
from . import dataset, figures, metrics
from .about import about
from .features import HOUSEHOLD, ablations
from .groups import groups
from .mixture import mixtures
from .models import candidates
from .monitoring import MONITORING
from .params import SessionsParams
from .simulation import SIMULATION
from .split import split
from .task import make_task

PARAMS = SessionsParams
"""The type of the parameters."""


def batch_table(rows: Columns, predictions: Columns) -> Columns:
    """Return the household and its best 20 items, the best first.

    Reasons are left out: each of the 20 items has its own.
    """
    best = predictions["items"][:, : metrics.TOP_K]
    return {
        HOUSEHOLD: rows[HOUSEHOLD],
        **{f"item_{number}": column for number, column in enumerate(best.T, 1)},
    }


def make_training(params: SessionsParams, root: Path) -> HistoryTraining:
    """Return the training for parameters and a project's folder."""
    return HistoryTraining(
        make_task=make_task,
        load_data=dataset.load_data,
        compute_features=dataset.group_baskets,
        split=split,
        candidates=candidates(params, root),
        combine=partial(mixtures, params.seed),
        metrics=metrics.METRICS,
        naive=metrics.naive,
        about=about,
        summary=figures.summary,
        figures=figures.figures,
        read_batch=dataset.read_batch,
        batch_history=dataset.batch_history,
        batch_table=batch_table,
        examples=dataset.examples,
        periods=metrics.weeks,
        groups=lambda rows: rows[HOUSEHOLD].astype(str),
        slices=metrics.slices,
        export_differs=metrics.lists_differ,
        answer_changes=metrics.lists_differ,
        recent_events=dataset.recent_events,
        monitoring=MONITORING,
        simulation=SIMULATION,
        checklist=Checklist(
            ablations=ablations,
            feature_tests="sessions/test_features.py",
            feature_modules=("sessions.features",),
            new_feature_test="sessions/test_new_feature.py",
            groups=groups,
            time=TIMESTAMP,
        ),
    )
