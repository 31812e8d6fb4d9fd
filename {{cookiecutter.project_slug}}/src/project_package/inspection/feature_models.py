"""Classifiers of features: statistics of an image, or those of a network trained on photos."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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

from ..bundle import Contents
from ..columns import Columns
from ..contract.training import Candidate, Hyperparameters
from ..onnx_runtime import GRAPH
from .decide_and_explain import WEIGHTS, Details
from .features import statistics
from .graphs import export_pipeline, join, move_weights
from .images import side, stack
from .pretrained import Backbone, Features

FOLDS = 5
AT_ONCE = 500  # images, which take many times their memory


@dataclass(frozen=True)
class FeatureModel:
    """A fitted classifier, or a Gaussian mixture of good images; of statistics without a network.

    `details.good` says which of both.
    """

    backbone: Backbone | None
    pipeline: Pipeline
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return probability and decision."""
        features = features_of(self.backbone, rows["image"])
        if self.details.good:
            output = self.pipeline.score_samples(features)
        else:
            output = self.pipeline.predict_proba(features)[:, 1]
        return self.details.decide(self.details.to_probability(output))

    def files(self) -> Contents:
        """Return one graph, of the network too, its weights, and the details."""
        if self.backbone is None:
            graph = export_pipeline(self.pipeline, "statistics")
            return {GRAPH: graph, **self.details.files()}
        network = self.backbone.graph(self.details.size)
        output = "score_samples" if self.details.good else "probabilities"
        graph, weights = move_weights(join(network, self.pipeline, output), network)
        path = self.backbone.write_weights(weights)
        return {GRAPH: graph, WEIGHTS: path, **self.details.files()}


def features_of(backbone: Backbone | None, images: NDArray[Any]) -> Features:
    """Return the features of images, (rows, features)."""
    if backbone:
        return backbone.features(images)
    parts = np.split(images, range(AT_ONCE, len(images), AT_ONCE))
    return np.concatenate([statistics(stack(part)) for part in parts])


def details_of(backbone: Backbone | None, rows: Columns) -> Details:
    """Return the details of a model of features."""
    size = side(rows["image"])
    if backbone is None:
        return Details(size=size, inputs="statistics")
    return Details(size=size, inputs="pixels", pixels=backbone.pixels)


def fit(
    backbone: Backbone | None,
    classifier: Callable[[Hyperparameters, Columns], Any],
    rows: Columns,
    settings: Hyperparameters,
    *_: object,
) -> FeatureModel:
    """Fit a classifier of the features of images."""
    features = features_of(backbone, rows["image"])
    pipeline = make_pipeline(StandardScaler(), classifier(settings, rows))
    pipeline.fit(features, rows["is_defective"])
    return FeatureModel(backbone, pipeline, details_of(backbone, rows))


def folds_by_part(part: NDArray[Any]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return rows to fit on and rows to measure, for each fold; those of a part stay together."""
    parts = np.unique(part.astype(str), return_inverse=True)[1]
    folds = GroupKFold(min(FOLDS, parts.max() + 1))
    return [*folds.split(parts, groups=parts)]


def linear(settings: Hyperparameters, *_: object) -> LogisticRegression:
    """Return a logistic regression."""
    return LogisticRegression(**settings, max_iter=2_000)


def machine(settings: Hyperparameters, rows: Columns) -> CalibratedClassifierCV:
    """Return a support vector machine, whose distances become probabilities (Platt 1999)."""
    folds = folds_by_part(rows["part"])
    return CalibratedClassifierCV(SVC(**settings), cv=folds, ensemble=False)


def linear_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the linear classifier."""
    return {"C": trial.suggest_float("C", 1e-4, 1, log=True)}


def machine_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the support vector machine."""
    return {"C": trial.suggest_float("C", 0.3, 30, log=True)}


BASELINE = Candidate("statistics", {"C": 1.0}, partial(fit, None, linear))
"""The simple baseline."""


def candidates(backbone: Backbone) -> tuple[Candidate, ...]:
    """Return a linear classifier, and one by a support vector machine with a radial kernel."""
    return (
        Candidate("pretrained_linear", {"C": 0.01}, partial(fit, backbone, linear), linear_space),
        Candidate("pretrained_svm", {"C": 3.0}, partial(fit, backbone, machine), machine_space),
    )
