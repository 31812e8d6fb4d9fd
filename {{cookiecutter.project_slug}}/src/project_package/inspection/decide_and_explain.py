"""The served model: a probability, the decision by its threshold, and the regions."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..bundle import Files
from ..columns import Columns, take
from ..contract.task import Model
from ..explain import log_odds
from ..frozen import Frozen
from .features import Usable

DETAILS = "model.json"
REGIONS = 8  # on a side of the map
PIXELS_AT_ONCE = 2**21  # the features of a network take a hundred bytes for each


class Familiar(Frozen):
    """How usual good images are: what the log-density of features says of an image."""

    densest: float
    """The highest log-density."""
    mean: float
    deviation: float
    """Of the logarithm of what good images have less."""

    def unusual(self, densities: NDArray[Any]) -> NDArray[np.float32]:
        """Return the share of good images that are more usual, if their logarithms are logistic."""
        distances = np.log(np.maximum(self.densest - densities.astype(np.float64), 1e-9))
        scale = self.deviation * np.sqrt(3) / np.pi
        return np.asarray(1 / (1 + np.exp((self.mean - distances) / scale)), np.float32)


class Details(Frozen):
    """What the served model needs beside its graph."""

    size: int
    """Side of the images, in pixels."""
    inputs: Literal["statistics", "pixels"]
    """What the graph takes."""
    threshold: float = 0.5
    usable: Usable = Usable()
    familiar: Familiar | None = None
    """Of a model that learned from good images alone."""

    def files(self) -> Files:
        """Return the file for a bundle."""
        return {DETAILS: self.model_dump_json(indent=2).encode()}

    def to_probability(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Turn what the graph returns last, (rows,), into the probability of a defect."""
        return self.familiar.unusual(values) if self.familiar else values.astype(np.float32)

    def decide(self, probability: NDArray[np.float32]) -> Columns:
        """Return probability (float32) and decision (bool), (rows,) each."""
        return {"probability": probability, "decision": probability >= np.float32(self.threshold)}


@dataclass(frozen=True)
class InspectionModel:
    """A graph with the threshold of decisions and the map of regions."""

    graph: Model
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return what `Details.decide` and `Usable.lacking` do, and regions: (rows, 8, 8), float32.

        Regions are 0 for rows that do not have 1 in the column `explain`.
        """
        images = rows["image"]
        decided = self.details.decide(self._probability(images))
        parts = [take(rows, part) for part in self._slices(len(images))]
        lacking = np.concatenate([self.details.usable.lacking(part) for part in parts])
        explained = rows.get("explain", np.zeros(len(images), np.bool_)) & (lacking == "")
        regions = np.zeros((len(images), REGIONS, REGIONS), np.float32)
        for row in np.flatnonzero(explained):
            regions[row] = self._occlude(images[row], decided["probability"][row])
        return {**decided, "lacking": lacking, "regions": regions}

    def _probability(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = [images[part] for part in self._slices(len(images))]
        found = [self.graph.predict({"image": part})["probability"] for part in parts]
        return np.concatenate(found)

    def _slices(self, count: int) -> list[slice]:
        step = max(1, PIXELS_AT_ONCE // self.details.size**2)
        return [slice(start, start + step) for start in range(0, max(count, 1), step)]

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
