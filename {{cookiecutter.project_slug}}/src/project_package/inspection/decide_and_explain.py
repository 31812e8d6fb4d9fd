"""The served model: a probability, the decision by its threshold, and the regions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..bundle import Files
from ..columns import Columns
from ..contract.task import Model, steps_of
from ..explain import log_odds
from ..frozen import Frozen
from .images import to_pixels
from .usable import Usable

DETAILS = "model.json"
WEIGHTS = "weights"  # of a trained network, a large file
REGIONS = 8  # on a side of the map
SMALLEST = 1e-9  # distance, whose logarithm is finite
PIXELS_AT_ONCE = 2**21  # the features of a network take a hundred bytes for each


class GoodDistances(Frozen):
    """The distances of good images from their mean, whose logarithms have a logistic distribution.

    A distance is by how much the log-density of an image is below the highest.
    """

    densest: float
    """The highest log-density."""
    mean: float
    """Mean of the log-distances."""
    deviation: float
    """Standard deviation of the log-distances."""

    def log_odds(self, densities: NDArray[Any]) -> NDArray[np.float64]:
        """Return the log-odds of the share of good images that are nearer, by log-densities."""
        distances = np.maximum(self.densest - densities.astype(np.float64), SMALLEST)
        scale = self.deviation * np.sqrt(3) / np.pi
        return np.asarray((np.log(distances) - self.mean) / scale)


class Details(Frozen):
    """What the served model needs beside its graph."""

    size: int
    """Side of the images, in pixels."""
    inputs: Literal["statistics", "pixels"]
    """What the graph takes."""
    threshold: float = 0.5
    usable: Usable = Usable()
    pixels: int | None = None
    """Pixels that the graph reads of each image, if not size x size."""
    good: GoodDistances | None = None
    """Of a model that learned from good images alone."""

    def files(self) -> Files:
        """Return the file for a bundle."""
        return {DETAILS: self.model_dump_json(indent=2).encode()}

    def to_log_odds(self, output: NDArray[Any]) -> NDArray[np.float64]:
        """Turn what the graph returns, (rows,), into the log-odds of a defect."""
        return self.good.log_odds(output) if self.good else log_odds(output)

    def to_probability(self, output: NDArray[Any]) -> NDArray[np.float32]:
        """Turn what the graph returns, (rows,), into the probability of a defect."""
        if self.good is None:
            return output.astype(np.float32)
        return np.asarray(1 / (1 + np.exp(-self.good.log_odds(output))), np.float32)

    def decide(self, probability: NDArray[np.float32]) -> Columns:
        """Return probability (float32) and decision (bool), (rows,) each."""
        return {"probability": probability, "decision": probability >= np.float32(self.threshold)}


@dataclass(frozen=True)
class InspectionModel:
    """A graph with the threshold of decisions and the map of regions."""

    graph: Model
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return what `Details.decide` and `Usable.below` do, and regions: (rows, 8, 8) in float32.

        Regions are 0 for rows that do not have 1 in the column `explain`, and unusable ones.
        """
        images = rows["image"]
        output = self._run(images)
        decided = self.details.decide(self.details.to_probability(output))
        unusable = self.details.usable.below(rows)
        explained = rows.get("explain", np.zeros(len(images), np.bool_)) & (unusable == "")
        regions = np.zeros((len(images), REGIONS, REGIONS), np.float32)
        for row in np.flatnonzero(explained):
            regions[row] = self._occlude(to_pixels(images[row]), output[row])
        return {**decided, "unusable": unusable, "regions": regions}

    def steps(self, rows: Columns) -> Mapping[str, Columns]:
        """Return those of the graph, and the decision with its threshold."""
        steps = steps_of(self.graph, {"image": rows["image"]})
        decided = self.details.decide(self.details.to_probability(steps["prediction"]["output"]))
        threshold = np.full(len(rows["image"]), self.details.threshold)
        unusable = self.details.usable.below(rows)
        decision = {"probability": decided["probability"], "threshold": threshold}
        decision |= {"decision": decided["decision"], "unusable": unusable}
        return {**steps, "decision": decision}

    def _run(self, images: NDArray[Any]) -> NDArray[Any]:
        step = max(1, PIXELS_AT_ONCE // (self.details.pixels or self.details.size**2))
        slices = np.split(images, range(step, len(images), step))
        return np.concatenate([self.graph.predict({"image": part})["output"] for part in slices])

    def _occlude(self, image: NDArray[np.uint8], output: float) -> NDArray[np.float64]:
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
        without = self.details.to_log_odds(self._run(covered))
        return (self.details.to_log_odds(np.array([output])) - without).reshape(REGIONS, REGIONS)
