"""Candidates that learn from good images alone: the less usual an image, the likelier a defect.

A normal distribution is fitted to the features of good images; the Mahalanobis distance of an image
to its mean says how unusual it is (Rippel, Mertens and Merhof 2021).
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ..columns import Columns
from ..contract.training import Candidate, Hyperparameters
from .decide_and_explain import SMALLEST, GoodDistances
from .feature_models import FeatureModel, details_of, features_of, folds_by_part
from .pretrained import Backbone

SCALES = (128,)  # as good as two, with fewer features
RIDGE = 0.1  # added to the variances, which are 1; ROC AUC differs by .002 from .01 to 1


def candidates(backbone: Backbone) -> tuple[Candidate, ...]:
    """Return the distribution of fourteen statistics, and that of the features of a network."""
    return (
        Candidate("good_statistics", {}, partial(fit, None)),
        Candidate("good_features", {}, partial(fit, backbone)),
    )


def fit(
    backbone: Backbone | None, rows: Columns, _: Hyperparameters, seed: int, *__: object
) -> FeatureModel:
    """Fit on the good images; measure how unusual those are that were left out of a fit."""
    good = ~rows["is_defective"]
    features = features_of(backbone, rows["image"][good])

    def distribution(chosen: NDArray[np.int64]) -> Pipeline:
        mixture = GaussianMixture(reg_covar=RIDGE, random_state=seed)
        pipeline: Pipeline = make_pipeline(StandardScaler(), mixture).fit(features[chosen])
        return pipeline

    distances = np.empty(len(features))
    for others, left_out in folds_by_part(rows["part"][good]):
        fitted = distribution(others)
        distances[left_out] = densest(fitted) - fitted.score_samples(features[left_out])
    pipeline = distribution(np.arange(len(features)))
    logs = np.log(np.maximum(distances, SMALLEST))
    good_distances = GoodDistances(
        densest=densest(pipeline), mean=logs.mean(), deviation=max(logs.std(), SMALLEST)
    )
    details = details_of(backbone, rows).model_copy(update={"good": good_distances})
    return FeatureModel(backbone, pipeline, details)


def densest(pipeline: Pipeline) -> float:
    """Return the log-density at the mean, the highest."""
    mixture = pipeline[-1]
    return float(mixture.score_samples(mixture.means_)[0])
