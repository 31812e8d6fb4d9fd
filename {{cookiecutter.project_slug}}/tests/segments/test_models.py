"""The candidates find planted segments, as scikit-learn does, and number them alike."""

from typing import Any

import numpy as np
import optuna
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from project_package.columns import Columns
from project_package.contract.training import Candidate
from project_package.segments.features import INPUTS, LOGARITHMS, to_positions
from project_package.segments.models import (
    CANDIDATES,
    CELL_AXES,
    as_clusterings,
    fit_cells,
    fit_kmeans,
)


def households(count: int = 240, kinds: int = 1, spread: float = 0.3) -> tuple[Columns, Any]:
    """Return households around the centres of a few kinds, and the kind of each."""
    random = np.random.default_rng(0)
    kind = np.arange(count) % kinds
    middle = random.uniform(1, 4, (kinds, len(INPUTS)))
    positions = middle[kind] + spread * random.normal(size=(count, len(INPUTS)))
    columns = {
        name: np.expm1(np.abs(column)) if name in LOGARITHMS else column**2
        for name, column in zip(INPUTS, positions.T, strict=True)
    }
    return columns, kind


@pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)
def test_same_seed_gives_the_same_bytes(candidate: Candidate) -> None:
    rows, _ = households()
    one, two, other = (candidate.fit(rows, candidate.start, seed).files() for seed in (7, 7, 8))
    assert one == two != other


def test_clusterings_predict_like_the_pipelines_of_scikit_learn() -> None:
    rows, _ = households(400)
    positions = to_positions(rows)
    pipelines = [
        make_pipeline(StandardScaler(), PCA(3), KMeans(5, n_init=2, random_state=seed)).fit(sample)
        for seed, sample in enumerate((positions, positions[:300]))
    ]
    found, (first, second) = as_clusterings(pipelines).predict(rows), pipelines
    assert np.array_equal(found["segment"], first.predict(positions))
    assert found["distance"] == pytest.approx(first.transform(positions).min(axis=1))
    assert adjusted_rand_score(found["resampled"][:, 0], second.predict(positions)) == 1


def test_kmeans_finds_planted_kinds_in_every_resample() -> None:
    rows, kind = households(kinds=5, spread=0.05)
    found = fit_kmeans(rows, {"segments": 5, "axes": 4}, 7).predict(rows)
    assert adjusted_rand_score(found["segment"], kind) == 1
    assert (found["resampled"] == found["segment"][:, None]).all()
    assert (found["certainty"] == 1).all()


def test_cells_are_those_of_the_medians() -> None:
    rows, _ = households()
    found = fit_cells(rows, {}, 7).predict(rows)
    is_above = np.array([rows[name] > np.median(rows[name]) for name in CELL_AXES])
    assert np.array_equal(found["segment"], np.array([1, 2, 4]) @ is_above)
    assert 0.7 < found["certainty"].mean() < 1


def test_space_suggests_the_settings_of_the_start() -> None:
    cells, kmeans = CANDIDATES
    assert cells.space is None
    assert kmeans.space is not None
    trial = optuna.create_study().ask()
    assert kmeans.space(trial).keys() == kmeans.start.keys()
    assert trial.params == kmeans.space(trial)
