"""What is predicted follows from the schema; values become rows in one way."""

from typing import Any

import numpy as np
import pytest
from tabular.tables import COLUMNS, SCHEMA, problem

from project_package.data.table_schema import Schema
from project_package.errors import UserError
from project_package.tabular.date_parts import DAY
from project_package.tabular.problem import find_problem


@pytest.mark.parametrize(
    ("target", "kind", "classes"),
    [
        ("left", "binary", ("false", "true")),
        ("plan", "multiclass", ("a", "b", "c")),
        ("spent", "regression", ()),
    ],
)
def test_kind_follows_from_the_target(target: str, kind: str, classes: tuple[str, ...]) -> None:
    found = problem(target)
    assert (found.kind, found.classes) == (kind, classes)


def test_features_are_the_columns_of_that_role_alone() -> None:
    found = problem()
    assert found.numbers == ("paid", "家", "active", "since")
    assert found.categories == ("class",)
    assert found.requested == (*found.features, "month", "customer", "firm")


def test_time_is_asked_for_only_where_dates_need_it() -> None:
    assert "month" not in problem(without=("since",)).requested


def test_positive_class_comes_last() -> None:
    assert find_problem(SCHEMA, "left", "false").classes == ("true", "false")


@pytest.mark.parametrize(
    ("target", "positive", "message"),
    [
        ("gone", "", 'data.target: "gone" is not a column of schema.toml'),
        ("paid", "", "has the role feature in schema.toml; change it to target"),
        ("left", "yes", 'data.positive: "yes" is not a class of left'),
    ],
)
def test_target_that_does_not_fit_is_refused(target: str, positive: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_problem(SCHEMA, target, positive)


def test_missing_values_become_nan_and_empty_text() -> None:
    values: dict[str, list[Any]] = {
        "paid": [None, 2],
        "家": [1, 2],
        "active": [True, None],
        "class": [None, "x"],
    }
    rows = problem().encode({**values, "since": [None, 0], "month": [DAY, 3 * DAY]})
    np.testing.assert_equal(rows["paid"], [np.nan, 2])
    np.testing.assert_equal(rows["active"], [1, np.nan])
    np.testing.assert_equal(rows["since"], [np.nan, 3])
    assert rows["class"].tolist() == ["", "x"]


def test_dates_count_from_1970_in_a_table_without_time() -> None:
    found = problem(without=("month", "active", "class", "paid", "家"))
    assert found.encode({"since": [5 * DAY]})["since"].tolist() == [5]


def test_unseen_categories_are_counted_but_missing_ones_not() -> None:
    rows = {"class": np.array(["plus", "", "gold", "gold"], object)}
    assert problem().unseen(rows, {}) == {"class": 2}
    assert not problem().unseen({"class": rows["class"][:2]}, {})


def test_parts_of_dates_lags_and_words_are_features() -> None:
    changes: dict[str, dict[str, Any]] = {
        "month": {"parts": ("hour",)},
        "paid": {"lags": (2,), "monotone": "increasing"},
        "note": {"role": "feature"},
    }
    changed = {name: COLUMNS[name].model_copy(update=new) for name, new in changes.items()}
    found = find_problem(Schema(columns={**COLUMNS, **changed}), "left")
    values: dict[str, Any] = {name: [None] for name in ("paid", "家", "active", "class", "since")}
    values |= {"note": ["Two words"], "month": [DAY / 2], "paid before": np.array([[3.0, 4.0]])}
    rows = found.encode(values)
    assert (rows["month hour"][0], rows["paid lag 2"][0], found.target_before) == (12, 4, "")
    assert "two words" in rows["note"][0]
    assert found.directions == {"paid": 1}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({name: COLUMNS[name] for name in ("left", "customer")}, "has no feature"),
        ({**COLUMNS, "left": COLUMNS["left"].model_copy(update={"type": "date"})}, "is a date"),
    ],
)
def test_table_that_cannot_be_learned_is_refused(columns: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_problem(Schema(columns=columns), "left")
