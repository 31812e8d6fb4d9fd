"""The candidates find what is planted, are exported as they are, and number segments alike."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.metrics import adjusted_rand_score

from project_package.contract import Candidate, Columns, Hyperparameters, take
from project_package.segments.metrics import RESAMPLES
from project_package.segments.features import INPUTS, LOGARITHMS, positions
from project_package.segments.models import (
    CANDIDATES,
    CELLS_OF,
    centres,
    fit_cells,
    fit_kmeans,
    predict_cells,
    predict_kmeans,
    resample,
)

EACH = pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)
OUTPUTS = ["segment", "distances", "resampled"]


def households(count: int = 240, kinds: int = 1, spread: float = 0.3) -> tuple[Columns, Any]:
    """Give households around the centres of a few kinds, and the kind of each."""
    random = np.random.default_rng(0)
    kind = np.arange(count) % kinds
    middle = random.uniform(1, 4, (kinds, len(INPUTS)))
    placed = middle[kind] + spread * random.normal(size=(count, len(INPUTS)))
    columns = {
        name: np.expm1(np.abs(placed[:, place])) if name in LOGARITHMS else placed[:, place] ** 2
        for place, name in enumerate(INPUTS)
    }
    return columns, kind


def answer(graph: bytes, rows: Columns) -> dict[str, NDArray[Any]]:
    session = onnxruntime.InferenceSession(graph)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"positions": positions(rows)}), strict=True))


@EACH
@pytest.mark.parametrize("count", [1, 100])
def test_the_graph_answers_as_the_model(candidate: Candidate[Any], count: int) -> None:
    rows, _ = households()
    model = candidate.fit(take(rows, np.arange(140)), candidate.start, 7)
    asked = take(rows, np.arange(140, 140 + count))
    found = answer(candidate.export(model, rows), asked)
    expected = candidate.predict(model, asked)
    assert list(found) == OUTPUTS == list(expected)
    assert found["distances"] == pytest.approx(expected["distances"], abs=1e-6)
    for name in ("segment", "resampled"):
        assert found[name].dtype == np.int64
        assert np.array_equal(found[name], expected[name])


@EACH
def test_answers_have_the_shapes_that_the_api_reads(candidate: Candidate[Any]) -> None:
    rows, _ = households()
    model = candidate.fit(rows, candidate.start, 7)
    found = answer(candidate.export(model, rows), rows)
    assert found["segment"].shape == (240,)
    assert found["resampled"].shape == (240, RESAMPLES)
    count = found["distances"].shape[1]
    assert count == (8 if candidate.name == "cells" else candidate.start["segments"])
    assert set(np.unique(found["resampled"])) <= set(range(count))


@EACH
def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(
    candidate: Candidate[Any],
) -> None:
    rows, _ = households()
    graphs = [candidate.export(candidate.fit(rows, candidate.start, s), rows) for s in (7, 7, 8)]
    assert graphs[0] == graphs[1] != graphs[2]


def test_kmeans_finds_planted_kinds_and_all_resamples_agree_in_number() -> None:
    rows, kind = households(kinds=5, spread=0.05)
    model = fit_kmeans(rows, {"segments": 5, "axes": 4}, 7)
    found = predict_kmeans(model, rows)
    assert adjusted_rand_score(found["segment"], kind) == 1
    assert (found["resampled"] == found["segment"][:, None]).all()


def test_resamples_of_one_cloud_keep_the_numbers_of_the_nearest_centres() -> None:
    rows, _ = households(400, kinds=4, spread=0.4)
    model = fit_kmeans(rows, {"segments": 4, "axes": 3}, 7)
    found = predict_kmeans(model, rows)
    assert np.mean(found["resampled"] == found["segment"][:, None]) > 0.8
    for other in model[1:]:
        apart = cdist(centres(model[0]), centres(other)) / other[0].scale_.mean()
        assert np.trace(apart) <= np.trace(apart[:, ::-1])


def test_a_segment_is_the_one_with_the_nearest_centre() -> None:
    rows, _ = households()
    found = predict_kmeans(fit_kmeans(rows, {"segments": 6, "axes": 2}, 7), rows)
    assert np.array_equal(found["segment"], found["distances"].argmin(axis=1))


def test_centres_are_given_as_positions() -> None:
    rows, kind = households(kinds=4, spread=0.01)
    model = fit_kmeans(rows, {"segments": 4, "axes": 3}, 7)
    placed, segment = positions(rows), predict_kmeans(model, rows)["segment"]
    means = np.array([placed[segment == number].mean(axis=0) for number in range(4)])
    assert len(set(zip(segment, kind, strict=True))) == 4
    assert centres(model[0]) == pytest.approx(means, abs=0.02)


def test_a_cell_says_which_of_three_are_above_their_median() -> None:
    rows, _ = households(3)
    table = {**rows, "recency": [1, 2, 3], "baskets": [9, 5, 4], "spending": [10, 30, 20]}
    columns = {name: np.array(values, np.float64) for name, values in table.items()}
    model = fit_cells(columns, {}, 7)
    assert predict_cells(model, columns)["segment"].tolist() == [2, 4, 1]
    bits = {"recency": 1, "baskets": 2, "spending": 4}
    assert list(bits) == list(CELLS_OF)


def test_a_cell_lies_in_the_middle_of_its_households_and_an_empty_one_in_that_of_all() -> None:
    rows, _ = households()
    same = {**rows, "baskets": rows["spending"]}
    model = fit_cells(same, {}, 7)
    found = predict_cells(model, same)
    standard = (positions(same) - model.mean) / model.scale
    mine = standard[found["segment"] == 6]
    assert model.centres[6] == pytest.approx(mine.mean(axis=0))
    assert model.centres[2] == pytest.approx(np.zeros(len(INPUTS)))  # few baskets, yet much spent
    first = np.linalg.norm(standard[0] - model.centres[6])
    assert found["distances"][0, 6] == pytest.approx(first)


def test_resamples_are_drawn_with_replacement_and_the_first_sample_is_all() -> None:
    rows, _ = households()
    first, *others = resample(rows, 7)
    assert first is rows
    assert len(others) == RESAMPLES
    for other in others:
        assert len(other["baskets"]) == 240
        assert 120 < len(np.unique(other["baskets"])) < 180  # about 1 - 1 / e of 240


class Middle:
    """Suggest the middle of every range."""

    def suggest_float(self, _: str, low: float, high: float, *, log: bool = False) -> float:
        return (low * high) ** 0.5 if log else (low + high) / 2

    def suggest_int(self, _: str, low: int, high: int, *, log: bool = False) -> int:
        return round((low * high) ** 0.5) if log else (low + high) // 2


def test_a_space_suggests_what_the_start_sets() -> None:
    candidate = CANDIDATES[-1]
    assert candidate.space is not None
    suggested: Hyperparameters = candidate.space(Middle())
    assert suggested == {"segments": 6, "axes": 4}
    assert suggested.keys() == candidate.start.keys()


def test_the_first_candidate_is_the_simple_one() -> None:
    assert CANDIDATES[0].name == "cells"
    assert CANDIDATES[0].space is None
