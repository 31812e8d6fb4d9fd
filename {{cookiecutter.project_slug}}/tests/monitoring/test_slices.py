"""Slices of a window by its monitored columns, and their scores."""

import numpy as np
from numpy.typing import NDArray

from project_package.contract.training import Metric, Outcome
from project_package.monitoring.slices import worst_slices
from project_package.reference import describe

ACCURACY = Metric(
    "accuracy",
    "Accuracy",
    lambda rows, predictions, weights: float(
        np.average(rows["true"] == predictions["made"], weights=weights)
    ),
)
PLAN = np.array(["rare"] * 40 + ["basic", "plus"] * 130, object)
AGE = np.arange(300.0)
LOGGED = {"plan": PLAN, "age": AGE, "score": AGE}
REFERENCE = describe(LOGGED).model_copy(update={"outputs": ("score",)})


def found(made: NDArray[np.float64]) -> list[tuple[str, int, float]]:
    outcome = Outcome({"true": np.ones(300)}, {"made": made})
    slices = worst_slices(REFERENCE, LOGGED, outcome, ACCURACY)
    return [(part.name, part.rows, part.score) for part in slices]


def test_the_worst_slice_is_first() -> None:
    slices = found((PLAN == "plus").astype(float))
    assert slices[0] == ("plan basic", 130, 0.0)
    assert slices[-1] == ("plan plus", 130, 1.0)
    assert {name.split()[0] for name, *_ in slices} == {"plan", "age"}  # no output


def test_numbers_have_three_parts() -> None:
    slices = found((AGE < 100).astype(float))
    ages = {name: (rows, score) for name, rows, score in slices if name.startswith("age")}
    assert sum(rows for rows, _ in ages.values()) == 300
    assert ages["age above 179"] == (120, 0.0)
    assert [*ages][-1] == "age up to 89"


def test_flags_and_missing_values_have_slices() -> None:
    flag = np.array([0.0, 1.0, np.nan] * 100)
    outcome = Outcome({"true": np.ones(300)}, {"made": (flag == 1).astype(float)})
    slices = worst_slices(describe({"flag": flag}), {"flag": flag}, outcome, ACCURACY)
    assert {part.name: part.score for part in slices} == {
        "flag missing": 0.0,
        "flag up to 0": 0.0,
        "flag above 0, up to 1": 1.0,
    }


def test_small_slices_are_left_out() -> None:
    assert "plan rare" not in {name for name, *_ in found(np.ones(300))}
