"""The candidates: logistic regression on statistics of an image, and a convolutional network.

Parameters add or replace some: see `feature_models` and `good_only`.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Trial

from .. import checkpoints
from ..bundle import Files, code_of
from ..columns import Columns
from ..contract.training import Candidate, Fitted, Hyperparameters, Outcome, Report, ignore
from ..onnx_runtime import GRAPH
from ..thresholds import least_cost_threshold
from . import feature_models, good_only
from .decide_and_explain import Details
from .images import side, stack
from .params import Decide, InspectionParams
from .pretrained import Backbone, trained_weights
from .task import model_of

LAYERS = "layers.txt"
CALIBRATED = 200  # images by which the ranges of activations are measured


@dataclass(frozen=True)
class Trained:
    """A trained network."""

    network: Any
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return probability and decision."""
        from . import cnn  # noqa: PLC0415  TensorFlow takes seconds to import

        probabilities = self.network.predict(cnn.Batches(rows["image"]), verbose=0)
        return self.details.decide(probabilities.reshape(-1))

    def files(self) -> Files:
        """Return graph, details and, to read, the layers."""
        from . import cnn  # noqa: PLC0415  TensorFlow takes seconds to import

        files = {GRAPH: cnn.to_onnx(self.network), LAYERS: cnn.describe(self.network)}
        return {**files, **self.details.files()}


def quantise(trained: Trained, rows: Columns) -> Fitted:
    """Quantise weights and activations, calibrated on some of the training images."""
    from ..int8 import Quantised, static_int8  # noqa: PLC0415  it takes a second to import

    chosen = np.linspace(0, len(rows["image"]) - 1, CALIBRATED).astype(int)
    pixels = stack(rows["image"][chosen])[..., None].astype(np.float32)
    files = trained.files()
    graph = static_int8(files[GRAPH], ({"pixels": image[None]} for image in pixels))
    return Quantised(graph, {LAYERS: files[LAYERS]}, trained.details, model_of)


def network_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the network."""
    return {
        "width": trial.suggest_int("width", 8, 24, step=8),
        "dropout": trial.suggest_float("dropout", 0, 0.5),
        "rate": trial.suggest_float("rate", 1e-3, 1e-2, log=True),
    }


def candidates(params: InspectionParams, root: Path) -> tuple[Candidate, ...]:
    """Return the candidates; checkpoints of the network are in a folder of the project."""
    if params.data.good_only:
        return good_only.candidates(Backbone(trained_weights, root, good_only.SCALES))

    def fit_network(
        rows: Columns, settings: Hyperparameters, seed: int, report: Report = ignore
    ) -> Trained:
        from . import cnn  # noqa: PLC0415  TensorFlow takes seconds to import

        images = rows["image"]
        labels = rows["is_defective"].astype(np.float32)
        parts, part = np.unique(rows["part"].astype(str), return_inverse=True)
        held_out = (np.random.default_rng(seed).random(len(parts)) < params.network.held_out)[part]
        run = cnn.Run(
            options=params.network,
            seed=seed,
            checkpoint=checkpoints.run_folder(root, cache_key(rows, settings, params, seed))
            / "epochs.weights.h5",
            report=report,
        )
        network = cnn.fit(
            cnn.build(side(images), settings, seed),
            float(settings["rate"]),
            (images[~held_out], labels[~held_out]),
            (images[held_out], labels[held_out]),
            run,
        )
        return Trained(network, Details(size=side(images), inputs="pixels"))

    backbone = Backbone(trained_weights, root)
    start = {"width": 8, "dropout": 0.3, "rate": 4e-3}
    return (
        feature_models.BASELINE,
        Candidate("cnn", start, fit_network, network_space, quantise),
        *(feature_models.candidates(backbone) if params.network.backbone else ()),
    )


def cache_key(rows: Columns, settings: Hyperparameters, params: InspectionParams, seed: int) -> str:
    """Return the cache key of a training run: see `checkpoints`."""
    used = {name: rows[name] for name in ("image", "is_defective", "part")}
    options = (sorted(settings.items()), params.network, seed)
    return checkpoints.cache_key(code_of(candidates), used, options)


def finish(params: InspectionParams, fitted: Any, _: Columns, validation: Outcome) -> Fitted:
    """Choose the threshold on the validation images: of least cost, or of a share of the good."""
    labels = validation.rows["is_defective"]
    probabilities = validation.predictions["probability"]
    if params.data.good_only:
        falling = np.sort(probabilities[~labels])[::-1]
        first = int(params.decide.rejected * len(falling))
        chosen = float(np.mean([1.0, *falling][first : first + 2]))  # midway between two images
    else:
        chosen = threshold(labels, probabilities, params.decide)
    changes = {"threshold": chosen, "usable": params.usable}
    finished: Fitted = replace(fitted, details=fitted.details.model_copy(update=changes))
    return finished


def threshold(
    labels: NDArray[np.bool_], probabilities: NDArray[np.float32], decide: Decide
) -> float:
    """Return the threshold of least cost: 2, which none reaches, if rejecting none costs least."""
    return least_cost_threshold(
        probabilities, decide.false_alarm * ~labels, decide.missed * labels, nothing=2.0
    )
