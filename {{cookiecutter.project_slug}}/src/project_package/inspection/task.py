"""What the server needs of the inspection use case: images become rows, rows become answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..bundle import Bundle
from ..contract import Columns, Files, Frozen, Model, Task
from ..explain import log_odds
from ..onnx_model import GRAPH, OnnxModel
from .features import sharpness, statistics
from .schemas import InspectionRequest, InspectionResponse, request_type

DETAILS = "model.json"
REGIONS = 8  # on a side of the map
PIXELS_AT_ONCE = 2**21  # the features of a network take a hundred bytes for each


class Details(Frozen):
    """What the served model needs beside its graph."""

    size: int
    """Side of the images, in pixels."""
    inputs: Literal["statistics", "pixels"]
    """What the graph takes."""
    threshold: float = 0.5

    def files(self) -> Files:
        """Return the file for a bundle."""
        return {DETAILS: self.model_dump_json(indent=2).encode()}

    def decide(self, probability: NDArray[np.float32]) -> Columns:
        """Return probability (float32) and decision (bool), (rows,) each."""
        return {"probability": probability, "decision": probability >= np.float32(self.threshold)}


@dataclass(frozen=True)
class InspectionModel:
    """A graph with the threshold of decisions and the map of regions."""

    graph: Model
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return what `Details.decide` does, and regions: (rows, 8, 8) in float32.

        Regions are 0 for rows that do not have 1 in the column `explain`.
        """
        images = rows["image"]
        found = self.details.decide(self._probability(images))
        regions = np.zeros((len(images), REGIONS, REGIONS), np.float32)
        for row in np.flatnonzero(rows["explain"]) if "explain" in rows else ():
            regions[row] = self._occlude(images[row], found["probability"][row])
        return {**found, "regions": regions}

    def _probability(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        step = max(1, PIXELS_AT_ONCE // self.details.size**2)
        slices = np.split(images, range(step, len(images), step))
        found = [self.graph.predict({"image": part})["probability"] for part in slices]
        return np.concatenate(found)

    def _occlude(self, image: NDArray[np.uint8], probability: float) -> NDArray[np.float64]:
        """Return what the log-odds lose when each region is covered (Zeiler and Fergus 2014).

        Its neighbours are covered too: a defect is often larger than a region.
        """
        edges = np.linspace(0, len(image), REGIONS + 1).astype(int)
        covered = np.repeat(image[None], REGIONS**2, axis=0)
        for index in range(REGIONS**2):
            (top, bottom), (left, right) = (
                (edges[max(place - 1, 0)], edges[min(place + 2, REGIONS)])
                for place in divmod(index, REGIONS)
            )
            covered[index, top:bottom, left:right] = np.median(image)
        without = log_odds(self._probability(covered))
        return (log_odds(np.array([probability])) - without).reshape(REGIONS, REGIONS)


def load(bundle: Bundle) -> InspectionModel:
    """Load the model of a bundle."""
    details = Details.model_validate_json(bundle.files[DETAILS])
    return InspectionModel(OnnxModel(bundle.files[GRAPH], *coding(details)), details)


def coding(details: Details) -> tuple[Any, Any]:
    """Return how rows become inputs of the graph, and its outputs the probability."""
    if details.inputs == "statistics":
        return (
            lambda rows: {"statistics": statistics(rows["image"])},
            lambda _, outputs: {"probability": outputs["probabilities"][:, 1]},
        )
    return (
        lambda rows: {"pixels": rows["image"][..., None].astype(np.float32)},
        lambda _, outputs: {"probability": next(iter(outputs.values())).reshape(-1)},
    )


def to_rows(requests: Sequence[InspectionRequest]) -> Columns:
    """Turn requests into rows; name and part are empty where they are not given."""
    return {
        "image": np.stack([request.image for request in requests]),
        "name": np.array([request.image_id or "" for request in requests], object),
        "part": np.array([request.part_id or "" for request in requests], object),
        "explain": np.array([request.explain for request in requests]),
    }


def to_responses(rows: Columns, predictions: Columns) -> list[InspectionResponse]:
    """Turn predictions into responses."""
    explained = rows["explain"] if "explain" in rows else np.zeros(len(rows["image"]), np.bool_)
    return [
        InspectionResponse(
            probability=round(float(probability), 7),
            decision="defect" if decision else "good",
            regions=np.round(regions, 4).tolist() if explain else None,
        )
        for probability, decision, regions, explain in zip(
            predictions["probability"],
            predictions["decision"],
            predictions["regions"].astype(np.float64),
            explained,
            strict=True,
        )
    ]


def monitored(rows: Columns, predictions: Columns) -> Columns:
    """Select brightness, contrast and sharpness of the images, and the probability."""
    images = rows["image"].astype(np.float32)
    return {
        "brightness": images.mean((1, 2)),
        "contrast": images.std((1, 2)),
        "sharpness": sharpness(rows["image"]),
        "probability": predictions["probability"],
    }


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
        entity="part",
        id="name",
        slow_requests=True,
        media_types={"image/png": "image", "image/jpeg": "image"},
    )
