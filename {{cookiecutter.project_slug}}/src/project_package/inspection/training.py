"""Assemble the training of the inspection: does this image show a defect, and where?"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..bundle import Bundle
from ..contract import Columns
from ..params import Params
from ..training import About, Training
from . import data, metrics, report
from .data import SIMULATOR, InspectionParams
from .elpv import ELPV
from .models import candidates, finish
from .task import DETAILS, Details, make_task

ORIGINS = {
    SIMULATOR: "Simulated photos of brushed metal parts, two of each; a quarter of the parts has a "
    "scratch, a dent or a stain.",
    ELPV: "Electroluminescence images of solar cells (elpv-dataset, CC BY-NC-SA 4.0: not for "
    "commercial use); cells that experts were not sure of are left out.",
}
LIMITS = (
    "Simulated defects are simpler than real ones: three kinds, one surface, sharp photos.",
    "The model knows the light and the camera of its training images only.",
)


def about(params: InspectionParams) -> About:
    """Describe the model for the report and the model card."""
    simulated = params.data.source == SIMULATOR
    return About(
        title="Visual inspection",
        question="Does this image show a defect?",
        use="The line puts aside parts with a probable defect, and a person looks at them.",
        misuse="It must not release safety-critical parts without another check.",
        data=ORIGINS.get(params.data.source, f"Images read from {params.data.source}."),
        limits=LIMITS if simulated else LIMITS[1:],
        rows="images",
        periods="pieces",
        baselines="The simple baseline is a logistic regression on fourteen statistics of the "
        "image. “No model” gives every image the share of defects.",
        terms={
            "scratch": "all good images, and those with a scratch",
            "dent": "all good images, and those with a dent",
            "stain": "all good images, and those with a stain",
            "without copies": "all images without a near-duplicate in training",
            "mono": "solar cells of monocrystalline silicon",
            "poly": "solar cells of polycrystalline silicon",
            "dark images": "the third of the images with the lowest mean grey level",
            "bright images": "the third of the images with the highest mean grey level",
        },
    )


def batch_table(rows: Columns, predictions: Columns) -> Columns:
    """Return name, part, probability and decision."""
    found = {name: rows[name] for name in ("name", "part") if name in rows}
    decision = np.where(predictions["decision"], "defect", "good")
    return {**found, "probability": predictions["probability"], "decision": decision}


def incompatible(params: InspectionParams, bundle: Bundle) -> str:
    """Return why a bundle's model cannot predict images of this size; empty if it can."""
    size = Details.model_validate_json(bundle.files[DETAILS]).size
    return f"reads images of {size} pixels (data.size)" if size != params.data.size else ""


@dataclass(frozen=True)
class InspectionTraining:
    """Makes the training of a project, whose network depends on the parameters."""

    params: type[Params] = InspectionParams

    def for_project(self, params: InspectionParams, root: Path) -> Training:
        """Return the training for parameters and a project's folder."""
        return Training(
            make_task=make_task,
            params=InspectionParams,
            load_data=data.load_data,
            split=data.split,
            candidates=candidates(params, root),
            metrics=metrics.metrics(params, ceiling=params.data.source == SIMULATOR),
            weighted=lambda r, p: partial(metrics.auroc, r["is_defective"], p["probability"]),
            naive=partial(metrics.naive, params),
            about=about,
            read_batch=data.read_batch,
            batch_table=batch_table,
            examples=data.examples,
            finish=finish,
            periods=metrics.periods,
            pooled=True,
            groups=lambda rows: rows["part"].astype(str),
            slices=metrics.slices,
            summary=report.summary,
            figures=report.figures,
            importance=report.importance,
            incompatible=partial(incompatible, params),
        )


TRAINING = InspectionTraining()
