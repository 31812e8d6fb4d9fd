"""What the server needs of the inspection use case: images become rows, rows become answers."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle
from ..columns import Columns
from ..contract.task import Task
from ..onnx_runtime import GRAPH, OnnxModel
from .decide_and_explain import DETAILS, REGIONS, WEIGHTS, Details, InspectionModel
from .features import statistics
from .images import stack
from .schemas import InspectionRequest, InspectionResponse, Label, request_type
from .usable import brightness, contrast, sharpness


def load(bundle: Bundle) -> InspectionModel:
    """Load the model of a bundle."""
    details = Details.model_validate_json(bundle.files[DETAILS])
    return model_of(bundle.files[GRAPH], details, bundle.large.get(WEIGHTS))


def model_of(graph: bytes, details: Details, weights: Path | None = None) -> InspectionModel:
    """Return the served model of a graph, its details, and weights that are in another file."""
    return InspectionModel(OnnxModel(graph, *coding(details), weights=weights), details)


def coding(details: Details) -> tuple[Any, Any]:
    """Return how rows become inputs of the graph, and its outputs the probability."""

    def encode(rows: Columns) -> Columns:
        if details.inputs == "statistics":
            return {"statistics": statistics(stack(rows["image"]))}
        return {"pixels": stack(rows["image"])[..., None].astype(np.float32)}

    def decode(_: Columns, outputs: Columns) -> Columns:
        last = list(outputs.values())[-1]  # before it, a classifier has the labels
        return {"output": last[:, -1]}

    return encode, decode


def to_rows(requests: Sequence[InspectionRequest]) -> Columns:
    """Turn requests into rows; name and part are empty where they are not given."""
    return {
        "image": np.stack([request.image.pixels for request in requests]),
        "side": np.array([request.image.side for request in requests]),
        "name": np.array([request.image_id or "" for request in requests], object),
        "part": np.array([request.part_id or "" for request in requests], object),
        "explain": np.array([request.explain for request in requests]),
    }


def to_responses(rows: Columns, predictions: Columns) -> list[InspectionResponse]:
    """Turn predictions into responses."""
    explained = rows["explain"] if "explain" in rows else np.zeros(len(rows["image"]), np.bool_)
    return [
        InspectionResponse(
            probability=None if unusable else round(float(probability), 7),
            decision=decision,
            unusable=str(unusable) or None,
            regions=np.round(regions, 4).tolist() if explain and not unusable else None,
        )
        for probability, decision, unusable, regions, explain in zip(
            predictions["probability"],
            decisions(predictions),
            predictions["unusable"],
            predictions["regions"].astype(np.float64),
            explained,
            strict=True,
        )
    ]


def decisions(predictions: Columns) -> NDArray[np.str_]:
    """Return "defect", "good" or "unusable", (rows,)."""
    decided = np.where(predictions["decision"], "defect", "good")
    return np.where(predictions["unusable"] == "", decided, "unusable")


def probabilities(predictions: Columns) -> NDArray[np.float32]:
    """Return the probability of a defect, NaN for unusable images, (rows,)."""
    return np.where(predictions["unusable"] == "", predictions["probability"], np.float32(np.nan))


def monitored(rows: Columns, predictions: Columns) -> Columns:
    """Select brightness, contrast and sharpness of the images, and the probability."""
    images = rows["image"]
    return {
        "brightness": brightness(images),
        "contrast": contrast(images),
        "sharpness": sharpness(images),
        "probability": probabilities(predictions),
    }


def unseen(_: Columns, predictions: Columns) -> Counter[str]:
    """Count unusable images by what is below its limit."""
    return Counter(filter(None, predictions["unusable"].tolist()))


def make_task(bundle: Bundle) -> Task:
    """Build the task; the size of images is that of the bundle."""
    details = Details.model_validate_json(bundle.files[DETAILS])
    return Task(
        name="inspection",
        request=request_type(details.size),
        response=InspectionResponse,
        load=load,
        to_rows=to_rows,
        to_responses=to_responses,
        monitored=monitored,
        outputs=("probability",),
        unseen=unseen,
        entity="part",
        id=("name",),
        label=Label,
        meanings={"image": "grey pixels, 0 to 255", "side": "of the picture before it was scaled"},
        slow_requests=True,
        weight=lambda request: 1 + REGIONS**2 if request.explain else 1,
        max_body_mb=8,
        media_types=dict.fromkeys(("image/png", "image/jpeg"), lambda file: [{"image": file}]),
    )
