"""Household segments: which kinds of households shop here, and which kind is this one?"""

from functools import partial
from pathlib import Path

from ..columns import Columns
from ..contract.checklist import Checklist, permuted
from ..contract.history_training import HistoryTraining
from ..contract.training import Outcome
from .about import about
from .dataset import batch_history, compute_features, examples, load_data, read_batch, recent_events
from .features import HOUSEHOLD, INPUTS
from .figures import figures, summary
from .metrics import METRICS, naive, segments_differ, silhouettes, slices
from .models import CANDIDATES
from .params import SegmentsParams
from .profiles import describe
from .simulation import SIMULATION
from .split import split
from .task import Clusterings, SegmentsModel, make_task

PARAMS = SegmentsParams
"""The type of the parameters."""


def finish(_: SegmentsParams, fitted: Clusterings, rows: Columns, __: Outcome) -> SegmentsModel:
    """Describe every segment by the households that the model was fitted on."""
    segment = fitted.predict(rows)["segment"]
    return SegmentsModel(fitted, describe(rows, segment, fitted.centres.shape[1]))


def batch_table(rows: Columns, predictions: Columns) -> Columns:
    """Return household, segment, name, distance and certainty.

    What sets a segment apart is the same for all of its households: the report shows it.
    """
    names = ("segment", "name", "distance", "certainty")
    return {HOUSEHOLD: rows[HOUSEHOLD], **{name: predictions[name] for name in names}}


def make_training(_: SegmentsParams, __: Path) -> HistoryTraining:
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
        read_batch=read_batch,
        batch_history=batch_history,
        batch_table=batch_table,
        examples=examples,
        finish=finish,
        periods=lambda rows: rows["part"],
        pooled=True,
        groups=lambda rows: rows[HOUSEHOLD],
        slices=slices,
        answer_changes=segments_differ,
        recent_events=recent_events,
        simulation=SIMULATION,
        checklist=Checklist(
            ablations=partial(permuted, groups={}, inputs=INPUTS),
            feature_tests="segments/test_features.py",
            feature_modules=("segments.features",),
            new_feature_test="segments/test_new_feature.py",
            groups=slices,
            row_scores=silhouettes,
        ),
    )
