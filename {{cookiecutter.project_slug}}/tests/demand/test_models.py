"""The candidates learn, are exported as they are, and know of three quantiles."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from project_package.contract import Candidate, Columns, Hyperparameters, take
from project_package.demand.features import INPUTS, LEVEL
from project_package.demand.models import CANDIDATES, OPSETS, matrix

EACH = pytest.mark.parametrize("candidate", CANDIDATES, ids=lambda candidate: candidate.name)
OUTPUTS = ["value", "low", "high"]


def weeks(count: int = 900) -> Columns:
    """Give features of which one doubles what is sold, and units that vary by themselves."""
    random = np.random.default_rng(0)
    columns = {name: random.random(count).astype(np.float32) for name in INPUTS}
    columns[LEVEL] = random.gamma(2, 20, count).astype(np.float32)
    mean = columns[LEVEL] * np.where(columns["ad_front"] > 0.5, 2, 1)
    return {**columns, "units": random.poisson(mean).astype(np.float64)}


def answer(graph: bytes, rows: Columns) -> dict[str, NDArray[Any]]:
    session = onnxruntime.InferenceSession(graph)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"features": matrix(rows)}), strict=True))


@EACH
def test_it_learns_what_a_promotion_does(candidate: Candidate[Any]) -> None:
    rows = weeks()
    model = candidate.fit(rows, candidate.start, 7)
    error = np.mean(np.abs(rows["units"] - candidate.predict(model, rows)["value"]))
    assert error < 0.6 * np.mean(np.abs(rows["units"] - rows[LEVEL]))


@EACH
def test_the_graph_answers_as_the_model(candidate: Candidate[Any]) -> None:
    rows = weeks()
    model = candidate.fit(take(rows, np.arange(600)), candidate.start, 7)
    found, expected = answer(candidate.export(model, rows), rows), candidate.predict(model, rows)
    assert list(found) == OUTPUTS
    for name, values in found.items():
        assert values.shape == (900,)
        assert values.dtype == expected[name].dtype == np.float32
        assert values == pytest.approx(expected[name], rel=1e-5, abs=1e-5)


@EACH
def test_the_bounds_leave_a_tenth_outside_on_each_side(candidate: Candidate[Any]) -> None:
    rows = weeks(2_000)
    given = candidate.predict(candidate.fit(rows, candidate.start, 7), rows)
    assert 0.02 < np.mean(rows["units"] < given["low"]) < 0.2
    assert 0.02 < np.mean(rows["units"] > given["high"]) < 0.2


@EACH
def test_nothing_below_zero_is_forecast(candidate: Candidate[Any]) -> None:
    rows = {**weeks(), "units": np.zeros(900)}
    given = candidate.predict(candidate.fit(rows, candidate.start, 7), rows)
    assert all(values.min() == 0 for values in given.values())


@EACH
def test_the_same_seed_gives_the_same_bytes(candidate: Candidate[Any]) -> None:
    rows = weeks()
    one, two = (candidate.export(candidate.fit(rows, candidate.start, 7), rows) for _ in range(2))
    assert one == two


def test_another_seed_gives_another_boosting() -> None:
    rows, candidate = weeks(), CANDIDATES[-1]
    one, two = (candidate.export(candidate.fit(rows, candidate.start, s), rows) for s in (7, 8))
    assert one != two


def test_the_baseline_does_not_go_on_beyond_what_it_saw() -> None:
    rows, candidate = weeks(), CANDIDATES[0]
    model = candidate.fit(rows, candidate.start, 7)
    far = {**rows, "ad_front": np.full(900, 1e6, np.float32)}
    assert candidate.predict(model, far)["value"].max() < 4 * rows["units"].max()
    assert answer(candidate.export(model, rows), far)["value"].max() < 4 * rows["units"].max()


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
    assert suggested.keys() == candidate.start.keys()


def test_the_first_candidate_is_the_simple_one() -> None:
    assert CANDIDATES[0].name == "linear"
    assert CANDIDATES[0].space is None
    assert set(OPSETS) == {"", "ai.onnx.ml"}
