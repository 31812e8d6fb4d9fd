"""Assemble the training of the inspection: does this image show a defect, and where?"""

from functools import partial
from pathlib import Path

import numpy as np

from ..bundle import Bundle
from ..columns import EXPLAIN, Columns
from ..contract.checklist import Checklist
from ..contract.training import Training
from ..explain import strongest
from . import dataset, figures, metrics
from .ablations import ablations
from .about import about
from .decide_and_explain import DETAILS, REGIONS, Details
from .models import candidates, finish
from .monitoring import make_monitoring
from .params import SIMULATOR, InspectionParams
from .simulation import make_simulation
from .split import split
from .task import decisions, make_task, probabilities

PARAMS = InspectionParams
"""The type of the parameters."""


def batch_table(rows: Columns, predictions: Columns) -> Columns:
    """Return name, part, probability and decision.

    With `--explain`, row and column of the region with the largest effect follow, from 0 at the
    top left: the first reason only, since its neighbours mostly show the same spot. -1 stands for
    no region, as of an unusable image.
    """
    identifiers = {name: rows[name] for name in ("name", "part") if name in rows}
    region = {}
    if EXPLAIN in rows:
        effect = predictions["regions"].reshape(len(predictions["regions"]), -1)
        first = strongest(effect)[:, 0]
        region["region_row"] = np.where(first < 0, -1, first // REGIONS)
        region["region_column"] = np.where(first < 0, -1, first % REGIONS)
    return {
        **identifiers,
        "probability": probabilities(predictions),
        "decision": decisions(predictions),
        **region,
    }


def incompatible(params: InspectionParams, bundle: Bundle) -> str:
    """Return why a bundle's model cannot predict images of this size; empty if it can."""
    size = Details.model_validate_json(bundle.files[DETAILS]).size
    return f"reads images of {size} pixels (data.size)" if size != params.data.size else ""


def make_training(params: InspectionParams, root: Path) -> Training:
    """Return the training for parameters and a project's folder."""
    scores = metrics.metrics(params, ceiling=params.data.source == SIMULATOR)
    return Training(
        make_task=make_task,
        libraries=("pillow",),
        load_data=dataset.load_data,
        compute_features=dataset.find_copies,
        split=split,
        candidates=candidates(params, root),
        metrics=scores,
        naive=partial(metrics.naive, params),
        about=about,
        read_batch=dataset.read_batch,
        batch_table=batch_table,
        examples=dataset.examples,
        finish=finish,
        periods=metrics.periods,
        pooled=True,
        groups=lambda rows: rows["part"].astype(str),
        slices=metrics.slices,
        summary=figures.summary,
        figures=partial(figures.figures, params),
        importance=figures.importance,
        incompatible=partial(incompatible, params),
        file_reasons=True,
        monitoring=make_monitoring(scores, calibrated=not params.data.good_only),
        simulation=make_simulation(params.data),
        checklist=Checklist(
            ablations=ablations,
            feature_tests="inspection/test_images.py",
            feature_modules=("inspection.features", "inspection.images"),
            new_feature_test="inspection/test_new_feature.py",
            groups=metrics.slices,
        ),
    )
