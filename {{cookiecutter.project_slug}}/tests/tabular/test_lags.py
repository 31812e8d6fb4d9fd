"""Lags and rolling means: from what was known before a row, alike in table, file and request."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from tabular.own_tables import proposed
from tabular.tables import bundle_of, params

from project_package.columns import Columns, take
from project_package.contract.training import Training
from project_package.data.table_schema import Column, Schema, read_schema, validated
from project_package.errors import UserError
from project_package.tabular.dataset import request_values
from project_package.tabular.decide_and_explain import Details
from project_package.tabular.lags import mean_before, values_before
from project_package.tabular.params import TabularParams
from project_package.tabular.problem import Problem, find_problem
from project_package.tabular.schema_file import schema_text
from project_package.tabular.schemas import request_type
from project_package.tabular.task import to_rows
from project_package.tabular.training import incompatible, make_training

START = datetime(2024, 1, 1)
COLUMNS = {
    "row": Column(role="time", type="date"),
    "shop": Column(role="group", type="text", missing=0.1),
    "price": Column(role="feature", type="number", missing=0.1, means=(2,)),
    "value": Column(role="target", type="number", missing=0.1, lags=(1, 3), means=(4,)),
}
SCHEMA = Schema(columns=COLUMNS)
FEATURES = ("price mean 2", "value lag 1", "value lag 3", "value mean 4")


def table_of(rows: list[tuple[str | None, float, float | None]]) -> pl.DataFrame:
    """Return a table of shops, days and values; the number of the day is the price."""
    days = [START + timedelta(days=day) for _, day, _ in rows]
    values = pl.Series([value for *_, value in rows], dtype=pl.Float64)
    shops = pl.Series([shop for shop, *_ in rows], dtype=pl.String)
    prices = [float(day) for _, day, _ in rows]
    frame = pl.DataFrame({"row": days, "shop": shops, "price": prices, "value": values})
    return frame.with_columns(pl.col("row").cast(pl.Datetime("ms")))


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


def series(days: int = 60) -> pl.DataFrame:
    """Return rows of three shops, some without a value, and a shop with one row; unsorted."""
    random = np.random.default_rng(0)
    rows: list[Any] = [("new", days - 1, 5.0)]
    for day in range(days):
        for shop in "abc":
            value = round(random.normal(day % 7, 0.5), 3)
            rows.append((shop, day, None if random.random() < 0.1 else value))
    return table_of([rows[n] for n in random.permutation(len(rows))])


def trained_on(
    root: Path, rows: pl.DataFrame, gap: float, schema: Schema = SCHEMA
) -> tuple[Training, TabularParams]:
    """Write rows and schema into a project and read them as its data set, in root / "data"."""
    (root / "schema.toml").write_text(schema_text(schema), encoding="utf-8")
    rows.write_parquet(root / "own.parquet")
    data = {"source": str(root / "own.parquet"), "target": "value"}
    own = params(data=data, split={"gap_days": gap, "folds": 1})
    training = make_training(own, root)
    (root / "data").mkdir()
    training.load_data(own, root / "data", lambda _: None)
    return training, own


def predicted(root: Path, training: Training, own: TabularParams, file: pl.DataFrame) -> Columns:
    """Return the rows of a file to predict, in its order."""
    file.write_csv(root / "new.csv")
    return training.read_batch(own, root / "new.csv", root / "data")


def sorted_rows(rows: Columns) -> Columns:
    return take(rows, np.lexsort((rows["row"], rows["shop"].astype(str))))


@pytest.mark.parametrize("gap", [0, 2.5])
@pytest.mark.parametrize("without", [(), ("value",)])
def test_table_file_and_request_agree(gap: float, without: tuple[str, ...], tmp_path: Path) -> None:
    training, own = trained_on(tmp_path, series(), gap)
    test = sorted_rows(training.split(own, tmp_path / "data").test)
    newest = series().filter(pl.col("row") >= START + timedelta(days=40))
    batch = sorted_rows(predicted(tmp_path, training, own, newest.drop(without)))
    tested = {*zip(test["shop"], test["row"], strict=True)}
    keys = zip(batch["shop"], batch["row"], strict=True)
    batch = take(batch, np.array([key in tested for key in keys]))
    problem = problem_of()
    requests = [
        request_type(problem).model_validate_json(json.dumps(request_values(problem, test, row)))
        for row in range(len(test["row"]))
    ]
    served = to_rows(problem, requests)
    assert np.isnan(test["value lag 3"]).any()
    assert np.isfinite(test["value lag 3"]).sum() > 30
    for name in FEATURES:
        np.testing.assert_array_equal(batch[name], test[name])
        np.testing.assert_array_equal(served[name], test[name])


def test_rows_of_a_file_count_for_its_later_rows(tmp_path: Path) -> None:
    training, own = trained_on(tmp_path, series(), 0)
    later = table_of([("a", 61, None), ("z", 62, 8), ("a", 60, 3), ("z", 60, 2), ("z", 63, None)])
    found = predicted(tmp_path, training, own, later)
    a, first, _, new, last = range(5)
    known = series().filter(pl.col("shop") == "a").sort("row")["value"].drop_nulls()
    assert found["value lag 1"][[a, first, last]].tolist() == [3, 2, 8]
    assert found["value lag 3"][a] == known[-2]
    assert found["value mean 4"][last] == 5
    assert np.isnan(found["value mean 4"][new])


def test_target_of_every_stored_row_may_be_blank_in_a_file(tmp_path: Path) -> None:
    value = COLUMNS["value"].model_copy(update={"missing": 0})
    known = series().drop_nulls("value")
    training, own = trained_on(tmp_path, known, 0, Schema(columns={**COLUMNS, "value": value}))
    found = predicted(tmp_path, training, own, table_of([("new", 60, None)]))
    assert found["value lag 1"].tolist() == [5]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"row": None}, 'has no column "row"'),
        ({"shop": None}, 'has no column "shop"'),
        ({"value": pl.lit(1e31)}, "value must lie between -1e.30 and 1e.30"),
    ],
)
def test_file_that_does_not_fit_is_refused(
    columns: dict[str, Any], message: str, tmp_path: Path
) -> None:
    training, own = trained_on(tmp_path, series(), 0)
    left_out = [name for name, value in columns.items() if value is None]
    changed = {name: value for name, value in columns.items() if value is not None}
    with pytest.raises(UserError, match=message):
        predicted(tmp_path, training, own, series().with_columns(**changed).drop(left_out))


def test_file_needs_a_data_set_of_the_same_schema(tmp_path: Path) -> None:
    training, own = trained_on(tmp_path, series(), 0)
    (tmp_path / "data" / "schema.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="run `ml data` again"):
        predicted(tmp_path, training, own, series())


def problem_of(**changes: Column) -> Problem:
    return find_problem(Schema(columns={**COLUMNS, **changes}), "value")


@pytest.mark.parametrize(
    ("before", "lag", "mean"),
    [
        ([4, None, 2, 1], [4, 2], 7 / 3),
        ([None, 3], [None, None], 3),
        ([], [None, None], None),
        (None, [None, None], None),
    ],
)
def test_request_has_the_values_before(before: Any, lag: list[Any], mean: Any) -> None:
    values = {"value before": before} if before else {}
    request = request_type(problem_of()).model_validate_json(json.dumps(values), strict=True)
    found = to_rows(problem_of(), [request])
    expected = np.array([None, *lag, mean], np.float64)
    np.testing.assert_allclose([found[name][0] for name in FEATURES], expected)


@pytest.mark.parametrize("before", [[1] * 5, ["1"], 1, [1e31]])
def test_request_with_other_values_before_is_refused(before: Any) -> None:
    body = json.dumps({"value before": before})
    with pytest.raises(ValidationError):
        request_type(problem_of()).model_validate_json(body, strict=True)


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


def test_bundle_with_lags_does_not_fit_a_schema_without() -> None:
    bundle = bundle_of(Details(problem=problem_of(), typical={}).files())
    other = problem_of(value=COLUMNS["value"].model_copy(update={"lags": (1,)}))
    assert not incompatible(problem_of(), bundle)
    assert incompatible(other, bundle) == "reads value lag 3 (number)"


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
    assert ("y is a series: lags = [1, 7] in [columns.y]" in lines) == advised
    assert not read_schema(tmp_path / "schema.toml").columns["y"].lags
