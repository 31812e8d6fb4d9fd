"""Lags and rolling means are made of what was known before a row, and are declared."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tabular.own_tables import proposed
from tabular.series import COLUMNS, FEATURES, SCHEMA, START, problem_of, table_of
from tabular.tables import bundle_of, params

from project_package.data.table_schema import Schema, validated
from project_package.errors import UserError
from project_package.tabular.decide_and_explain import Details
from project_package.tabular.earlier_rows import values_before
from project_package.tabular.lags import mean_before
from project_package.tabular.metrics import naive
from project_package.tabular.schemas import request_type
from project_package.tabular.task import to_rows
from project_package.tabular.training import incompatible


def values_by_hand(rows: list[tuple[str | None, float, float | None]], gap: float) -> list[Any]:
    """Return up to four values before each row, the newest first, one row after the other."""
    found = []
    for shop, day, _ in rows:
        known = [
            (other_day, value)
            for other, other_day, value in rows
            if other == shop is not None and other_day < day and other_day <= day - gap
            if value is not None
        ]
        newest = [value for _, value in sorted(known, reverse=True)[:4]]
        found.append([*newest, *[None] * (4 - len(newest))])
    return found


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from([0, 0.25, 1, 2, 3, 10]),
        st.sampled_from([None, -1.0, 0.0, 2.5, 7.0, 1e6]),
    ),
    min_size=1,
    max_size=30,
)


@given(ROWS, st.sampled_from([0, 0.25, 1, 7]))
def test_values_before_are_those_that_were_known(rows: list[Any], gap: float) -> None:
    table = table_of(rows)
    found = values_before(SCHEMA, table, table, gap)["value before"]
    np.testing.assert_array_equal(found, np.array(values_by_hand(rows, gap), np.float64))


@given(ROWS, st.integers(0, 29), st.sampled_from([0, 1]))
def test_later_values_change_no_earlier_row(rows: list[Any], at: int, gap: float) -> None:
    day = rows[at % len(rows)][1]
    changed = [(s, d, 55.0 if d >= day else value) for s, d, value in rows]
    earlier = np.array([d <= day for _, d, _ in rows])
    found = [values_before(SCHEMA, t, t, gap) for t in map(table_of, (rows, changed))]
    for first, second in zip(found[0].values(), found[1].values(), strict=True):
        np.testing.assert_array_equal(first[earlier], second[earlier])


def test_table_without_a_group_is_one_series() -> None:
    columns = {name: column for name, column in COLUMNS.items() if name != "shop"}
    table = table_of([("a", 0, 1), ("b", 1, 2), (None, 2, 3)])
    found = values_before(Schema(columns=columns), table, table, 0)["value before"]
    assert found[:, 0].tolist()[1:] == [1, 2]


def test_mean_is_of_the_values_that_are_known() -> None:
    before = np.array([[1, 2, 6], [np.nan, 4, np.nan], [np.nan] * 3])
    np.testing.assert_array_equal(mean_before(before), [3, 4, np.nan])


@pytest.mark.parametrize(
    ("before", "lag", "mean"),
    [
        ([4, None, 2, 1], [4, 2], 7 / 3),
        ([None, 3], [None, None], 3),
        ([], [None, None], None),
    ],
)
def test_request_has_the_values_before(before: Any, lag: list[Any], mean: Any) -> None:
    values = {"value before": before, "price before": []}
    request = request_type(problem_of()).model_validate_json(json.dumps(values), strict=True)
    found = to_rows(problem_of(), [request])
    expected = np.array([None, *lag, mean], np.float64)
    np.testing.assert_allclose([found[name][0] for name in FEATURES], expected)


@pytest.mark.parametrize("before", [[1] * 5, ["1"], 1, [1e31], None])
def test_request_with_other_values_before_is_refused(before: Any) -> None:
    kind = request_type(problem_of())
    for values in ({"value before": before}, {}):
        with pytest.raises(ValidationError, match="value before"):
            kind.model_validate_json(json.dumps({"price before": [], **values}), strict=True)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("shop", {"lags": [1]}, "shop: lags are for numbers: target, outcomes and features"),
        ("price", {"role": "id"}, "price: lags are for numbers"),
        ("price", {"role": "ignored"}, "price: lags are for numbers"),
        ("row", {"role": "feature"}, "lags need a column with the role time"),
        ("value", {"lags": [0]}, "columns.value.lags.0: Input should be greater than or equal"),
        ("value", {"means": [401]}, "columns.value.means.0: Input should be less than or equal"),
    ],
)
def test_lags_that_cannot_be_made_are_refused(
    name: str, change: dict[str, Any], message: str
) -> None:
    columns = SCHEMA.model_dump(mode="json", exclude_defaults=True)["columns"]
    columns[name] |= change
    with pytest.raises(UserError, match=message):
        validated({"columns": columns})


@pytest.mark.parametrize("name", ["value lag 3", "price mean 2", "value before"])
def test_columns_with_the_name_of_a_lag_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"the name of a date part or lag: {name}"):
        problem_of(**{name: COLUMNS["shop"].model_copy(update={"role": "ignored"})})


def test_no_model_of_a_series_predicts_the_last_known_value() -> None:
    before = np.array([[1.0, np.nan], [5.0, 1.0], [np.nan, np.nan], [7.0, 5.0]])
    rows = {"value": np.array([2.0, 6.0, 7.0, 8.0]), "value before": before}
    answers = naive(problem_of(), params(), rows)
    assert answers["prediction"].tolist() == [2, 6, 7.5, 8]
    assert np.all(answers["low"] < answers["high"])


def test_bundle_with_lags_does_not_fit_a_schema_without() -> None:
    files = Details(problem=problem_of(), typical={}).files()
    bundle = bundle_of({**files, "params.json": params().model_dump_json().encode()})
    other = problem_of(value=COLUMNS["value"].model_copy(update={"lags": (1,)}))
    assert not incompatible(problem_of(), params(), bundle)
    assert incompatible(other, params(), bundle) == "reads value lag 3 (number)"
    late = params(split={"gap_days": 3})
    assert incompatible(problem_of(), late, bundle) == "reads values 0 days before"


@pytest.mark.parametrize(
    ("columns", "roles", "advised"),
    [
        ({}, {"day": "time"}, True),
        ({"shop": ["a", "b"] * 80}, {"day": "time"}, True),
        ({"day": [START + timedelta(days=n // 2) for n in range(160)]}, {"day": "time"}, False),
        ({}, {}, False),
        ({"y": ["yes", "no"] * 80}, {"day": "time"}, False),
    ],
)
def test_lags_are_advised_for_a_series(
    columns: dict[str, Any], roles: dict[str, Any], advised: bool, tmp_path: Path
) -> None:
    table = {"day": [START + timedelta(days=n) for n in range(160)], "x": range(160)}
    y = {"y": [n * 37 % 101 / 4 for n in range(160)]}
    lines = proposed(tmp_path, {**table, **y, **columns}, roles=roles)
    assert ("y is a series: lags = [1, 7] in [columns.y] make" in lines) == advised
    assert "lags" not in (tmp_path / "schema.toml").read_text(encoding="utf-8")
