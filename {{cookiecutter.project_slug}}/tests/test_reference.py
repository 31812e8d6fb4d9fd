"""The reference: bins, their counts, and calibrated probabilities."""

import numpy as np
import pytest

from project_package.reference import (
    CATEGORIES,
    Calibration,
    Categories,
    Numbers,
    Reference,
    describe,
)

RANDOM = np.random.default_rng(0)


def test_numbers_have_ten_bins_of_equal_size() -> None:
    column = describe({"x": RANDOM.normal(size=1_000)}).columns["x"]
    assert isinstance(column, Numbers)
    assert len(column.edges) == 9
    assert {*column.counts[:-1]} == {100}


@pytest.mark.parametrize(
    ("values", "edges", "counts"),
    [
        ([0, 0, 0], (0,), (3, 0, 0)),
        ([0] * 8 + [5] * 8, (0, 5), (8, 8, 0, 0)),
        ([np.nan, np.nan], (), (0, 2)),
        ([True, False, True, np.nan], (0, 1), (1, 2, 0, 1)),
    ],
    ids=["constant", "two values", "missing", "booleans"],
)
def test_few_values_have_a_bin_each(
    values: list[float], edges: tuple[float, ...], counts: tuple[int, ...]
) -> None:
    column = describe({"x": np.array(values, float)}).columns["x"]
    assert isinstance(column, Numbers)
    assert (column.edges, column.counts) == (edges, counts)


def test_counts_values_on_an_edge_below_it() -> None:
    column = Numbers(edges=(1, 2), low=0, high=3, counts=(1, 1, 1, 0))
    assert column.count(np.array([1, 1.5, 2, 2.5, np.nan, 9])).tolist() == [1, 2, 2, 1]


def test_values_outside_the_range_are_unexpected() -> None:
    column = Numbers(edges=(1,), low=0, high=3, counts=(1, 1, 0))
    assert column.unexpected(np.array([-1, 0, 3, 4, np.nan])) == pytest.approx(0.4)


def test_rare_categories_share_a_bin() -> None:
    names = [f"n{number}" for number in range(CATEGORIES + 5)]
    column = describe({"x": np.array(names + names[:CATEGORIES] + ["", ""], object)}).columns["x"]
    assert isinstance(column, Categories)
    assert column.names == tuple(names[:CATEGORIES])
    assert column.counts == (*[2] * CATEGORIES, 5, 2)
    assert column.unexpected(np.array(["n0", "new"], object)) == 0
    assert column.count(np.array([None, "new"], object))[-2:].tolist() == [1, 1]


def test_a_new_category_is_unexpected_where_all_have_a_bin() -> None:
    column = describe({"x": np.array(["a", "b"], object)}).columns["x"]
    assert column.unexpected(np.array(["a", "new", "", None], object)) == 0.25


def test_calibrated_probabilities_are_the_shares_and_sum_to_one() -> None:
    line = Calibration(probabilities=(0, 0.5, 1), shares=(0, 0.1, 1))
    back = Calibration(probabilities=(0, 0.5, 1), shares=(0, 0.9, 1))
    reference = Reference(columns={}, rows=1, calibrations=(back, line))
    probabilities = np.array([[0.5, 0.5], [0, 1], [0.75, 0.25]])
    found = reference.calibrate(probabilities)
    assert found[:2] == pytest.approx(np.array([[0.9, 0.1], [0, 1]]))
    assert found.sum(axis=1) == pytest.approx(1)


def test_a_probability_that_no_class_had_stays_as_it_is() -> None:
    nothing = Calibration(probabilities=(0, 1), shares=(0, 0))
    reference = Reference(columns={}, rows=1, calibrations=(nothing, nothing))
    assert reference.calibrate(np.array([[0.3, 0.7]])).tolist() == [[0.3, 0.7]]


def test_reads_what_it_wrote() -> None:
    reference = describe({"x": np.array([1.0, np.nan]), "y": np.array(["a", ""], object)})
    assert Reference.model_validate_json(reference.model_dump_json()) == reference
