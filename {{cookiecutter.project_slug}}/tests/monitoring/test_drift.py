"""Drift: what chance does is no drift, and what is large is found."""

import numpy as np
import pytest

from project_package.columns import Columns
from project_package.monitoring.drift import chi_square, compare
from project_package.params import Monitor
from project_package.reference import describe, stability_index

ROWS = 1_000
KINDS = ("is_drifted", "is_broken")


def values(seed: int, rows: int = ROWS) -> dict[str, np.ndarray]:
    """Draw normal, skewed, whole and rare values, and categories."""
    random = np.random.default_rng(seed)
    return {
        "normal": random.normal(size=rows),
        "skewed": random.lognormal(sigma=2, size=rows),
        "count": random.poisson(0.3, rows).astype(float),
        "constant": np.full(rows, 3.0),
        "blank": np.where(random.random(rows) < 0.3, np.nan, random.normal(size=rows)),
        "kind": random.choice(["a", "b", "c"], rows, p=[0.7, 0.29, 0.01]).astype(object),
        "names": random.zipf(1.5, rows).astype(str).astype(object),
    }


REFERENCE = describe(values(0, 20_000))


def drifted(window: Columns, kind: str = "is_drifted") -> list[str]:
    return [one.name for one in compare(REFERENCE, window, Monitor()) if getattr(one, kind)]


def test_chance_is_neither_drift_nor_broken() -> None:
    found = [drifted(values(seed), kind) for seed in range(1, 101) for kind in KINDS]
    assert not any(found)


def test_a_shift_is_drift() -> None:
    assert drifted({**values(1), "normal": values(1)["normal"] + 0.7}) == ["normal"]


def test_a_small_shift_of_many_rows_is_no_drift() -> None:
    window = values(1, 50_000)
    shifted = compare(REFERENCE, {**window, "normal": window["normal"] + 0.1}, Monitor())
    (found,) = (one for one in shifted if one.name == "normal")
    assert (found.p_value < 1e-6, found.is_drifted) == (True, False)


def test_what_periods_of_the_test_differ_in_is_no_drift() -> None:
    random = np.random.default_rng(0)
    weeks = np.repeat(np.arange(4), 2_000)
    reference = describe({"x": random.normal(weeks, 1)}, weeks)
    for week, expected in ((0, False), (3, False), (6, True)):
        (found,) = compare(reference, {"x": random.normal(week, 1, ROWS)}, Monitor())
        assert found.psi > Monitor().psi
        assert found.is_drifted == expected


def test_another_mix_of_categories_is_drift() -> None:
    kinds = np.random.default_rng(1).choice(["a", "b"], ROWS, p=[0.3, 0.7]).astype(object)
    assert drifted({**values(1), "kind": kinds}) == ["kind"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("normal", np.nan), ("normal", 1e6), ("constant", -1.0), ("kind", ""), ("kind", "new")],
)
def test_missing_and_unexpected_values_are_broken(name: str, wrong: float | str) -> None:
    column = values(1)[name].copy()
    column[: ROWS // 10] = wrong
    assert drifted({**values(1), name: column}, "is_broken") == [name]


def test_as_many_missing_values_as_before_are_not_broken() -> None:
    (found,) = (one for one in compare(REFERENCE, values(1), Monitor()) if one.name == "blank")
    assert found.missing == pytest.approx(0.3, abs=0.05)
    assert found.missing_before == pytest.approx(0.3, abs=0.02)
    assert not found.is_broken


def test_stability_index_is_that_of_the_shares() -> None:
    before, now = np.array([5_000, 5_000]), np.array([2_500, 7_500])
    expected = (0.25 - 0.5) * np.log(0.5) + (0.75 - 0.5) * np.log(1.5)
    assert stability_index(before, now) == pytest.approx(expected, rel=1e-3)
    assert stability_index(before, before) == 0


def test_small_bins_are_merged() -> None:
    before = np.array([1_000, *[1] * 50])
    now = np.array([1_000, *[0] * 49, 3])
    assert chi_square(before, now) < 1e-6  # 50 together, and 3
    assert chi_square(np.array([9, 0]), np.array([7, 0])) == 1
