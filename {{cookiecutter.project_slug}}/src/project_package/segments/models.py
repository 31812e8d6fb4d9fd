"""The candidates: cells of recency, frequency and spending, and k-means.

How many axes and segments k-means has is searched, by silhouette times stability on households that
it was not fitted on. Each candidate is also fitted on `RESAMPLES` samples of the households, drawn
with replacement: how often these clusterings agree with the first is the certainty of an answer.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Trial
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from ..columns import Columns
from ..contract.training import Candidate, Hyperparameters
from .features import INPUTS, to_positions
from .metrics import RESAMPLES
from .task import Clusterings

CELL_AXES = ("recency", "baskets", "spending")
"""The classic three; each is above or below its median."""


def samples(rows: Columns, seed: int) -> list[NDArray[Any]]:
    """Return the positions of all households, and of samples drawn with replacement."""
    random = np.random.default_rng(seed)
    positions = to_positions(rows)
    return [positions, *(random.choice(positions, len(positions)) for _ in range(RESAMPLES))]


def fit_cells(rows: Columns, _: Hyperparameters, seed: int, *__: object) -> Clusterings:
    """Cut three features at their medians into cells, with centres one deviation from these."""
    axes = [INPUTS.index(name) for name in CELL_AXES]
    drawn = [sample[:, axes] for sample in samples(rows, seed)]
    scale = 1 / np.where(np.ptp(drawn[0], axis=0) > 0, drawn[0].std(axis=0), 1)
    slopes = np.zeros((len(INPUTS), len(drawn), len(axes)))
    slopes[axes, :, np.arange(len(axes))] = scale[:, None]
    origins = np.array([np.median(sample, axis=0) for sample in drawn]) * scale
    is_above = np.arange(2 ** len(axes))[:, None] >> np.arange(len(axes)) & 1
    centres = np.stack([2.0 * is_above - 1] * len(drawn))
    return Clusterings(INPUTS, slopes, origins, centres)


def fit_kmeans(rows: Columns, settings: Hyperparameters, seed: int, *_: object) -> Clusterings:
    """Run k-means along the axes in which households vary most (principal components)."""
    with threadpool_limits(1):  # in several threads sums differ from run to run
        pipelines = [
            make_pipeline(
                StandardScaler(),
                PCA(int(settings["axes"]), random_state=seed),
                KMeans(int(settings["segments"]), n_init=10, random_state=seed),
            ).fit(sample)
            for sample in samples(rows, seed)
        ]
    return as_clusterings(pipelines)


def as_clusterings(pipelines: Sequence[Pipeline]) -> Clusterings:
    """Turn fitted pipelines into clusterings whose segments have the numbers of the first."""
    reference = _centres(pipelines[0])
    slopes = []
    origins = []
    centres = []
    for pipeline in pipelines:
        scaler, pca, kmeans = (step for _, step in pipeline.steps)
        slopes.append(pca.components_.T / scaler.scale_[:, None])
        origins.append((scaler.mean_ / scaler.scale_ + pca.mean_) @ pca.components_.T)
        apart = cdist(reference / scaler.scale_, _centres(pipeline) / scaler.scale_)
        centres.append(kmeans.cluster_centers_[linear_sum_assignment(apart)[1]])
    return Clusterings(INPUTS, np.stack(slopes, axis=1), np.stack(origins), np.stack(centres))


def _centres(pipeline: Pipeline) -> NDArray[Any]:
    """Return the centres as positions: (segments, features)."""
    return np.asarray(pipeline[:-1].inverse_transform(pipeline[-1].cluster_centers_))


def kmeans_space(trial: Trial) -> Hyperparameters:
    """Suggest how many segments, and along how many axes."""
    segments = trial.suggest_int("segments", 4, 8)
    return {"segments": segments, "axes": trial.suggest_int("axes", 2, 6)}


CANDIDATES = (
    Candidate("cells", {}, fit_cells),
    Candidate("kmeans", {"segments": 4, "axes": 3}, fit_kmeans, kmeans_space),
)
