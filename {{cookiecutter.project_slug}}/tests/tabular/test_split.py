"""Rows are split by time, by group or at random, and the test is never touched by the search."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tabular.tables import params, problem, rows

from project_package.columns import Columns, take
from project_package.errors import UserError
from project_package.tabular.dataset import ROWS, STORED
from project_package.tabular.date_parts import DAY
from project_package.tabular.problem import Problem
from project_package.tabular.split import at_random, by_time, split

PLAIN = ("month", "since", "firm")


def ids(found: Problem, table: Columns, **split: Any) -> list[tuple[set[Any], set[Any]]]:
    """Return the customers of training and test, then those of each fold."""
    parts = (by_time if found.column_of("time") else at_random)(found, params(split=split), table)
    customers = [[take(table, part)["customer"].tolist() for part in pair] for pair in parts]
    return [({*train}, {*valid}) for train, valid in customers]


@pytest.mark.parametrize("without", [(), ("month", "since"), PLAIN])
def test_parts_do_not_overlap_and_folds_leave_out_the_test(without: tuple[str, ...]) -> None:
    (train, test), *folds = ids(problem(without=without), rows())
    assert len(folds) == (3 if without else 2)  # ten times only
    assert not train & test
    assert 60 <= len(test) <= 100
    for fitted, scored in folds:
        assert fitted
        assert scored
        assert not fitted & scored
        assert not (fitted | scored) & test


def test_later_rows_are_scored_by_earlier_ones() -> None:
    table = rows()
    month = dict(zip(table["customer"], table["month"], strict=True))
    for fitted, scored in ids(problem(), table):
        assert max(month[name] for name in fitted) < min(month[name] for name in scored)


def test_gap_leaves_out_rows_whose_target_is_not_known() -> None:
    table = rows()
    month = dict(zip(table["customer"], table["month"], strict=True))
    for fitted, scored in ids(problem(), table, gap_days=45, folds=2):
        newest = max(month[n] for n in fitted)
        first = min(month[n] for n in scored)
        assert newest + 45 * DAY <= first


def test_row_whose_target_is_known_just_in_time_is_fitted() -> None:
    days = np.arange(40) // 4
    table = {"month": days * float(DAY), "customer": days}
    for fitted, scored in ids(problem(), table, gap_days=2, folds=2):
        assert max(fitted) + 2 == min(scored)


def test_schema_that_changed_after_the_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / STORED).write_text(problem(without=("paid",)).table.model_dump_json(indent=2))
    with pytest.raises(UserError, match=r"schema\.toml has changed since .* run `ml data` again"):
        split(problem(), params(), tmp_path)


def test_rows_of_a_group_stay_together() -> None:
    table = rows()
    firm = dict(zip(table["customer"], table["firm"], strict=True))
    for fitted, scored in ids(problem(without=("month", "since")), table):
        assert not {firm[name] for name in fitted} & {firm[name] for name in scored}


def test_classes_have_equal_shares_at_random() -> None:
    table = rows()
    found = problem("plan", PLAIN)
    plan = dict(zip(table["customer"], table["plan"], strict=True))
    whole = Counter(plan.values())
    for _, scored in ids(found, table):
        counts = Counter(plan[name] for name in scored)
        for code, count in whole.items():
            assert counts[code] / len(scored) == pytest.approx(count / 400, abs=0.02)


def test_seed_decides_the_random_split() -> None:
    found = problem(without=PLAIN)
    table = rows()
    one, two, other = (
        next(at_random(found, params().model_copy(update={"seed": seed}), table))[1]
        for seed in (1, 1, 2)
    )
    assert one.tolist() == two.tolist() != other.tolist()


@pytest.mark.parametrize(
    ("without", "count", "split", "message"),
    [
        ((), 40, {}, "The table has 1 different times, too few for this split"),
        ((), 80, {"folds": 5}, "The table has 2 different times, too few for this split"),
        ((), 400, {"gap_days": 400}, "too few for this split"),
        (
            PLAIN,
            8,
            {},
            r"needs 5 rows of .*: use more rows, raise split\.test_share, or merge",
        ),
        (
            PLAIN[:2],
            16,
            {},
            r"needs 5 groups, and there are 4: use more rows, raise",
        ),
    ],
)
def test_too_few_rows_are_refused(
    without: tuple[str, ...], count: int, split: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        ids(problem("left", without), rows(count), **split)


def test_rare_class_and_few_numbers_are_refused() -> None:
    rare = {**rows(100), "left": (np.arange(100) < 3).astype(np.int64)}
    with pytest.raises(UserError, match=r'5 rows of "true", and there are 3: use .* or merge'):
        ids(problem("left", PLAIN), rare)
    with pytest.raises(UserError, match=r"needs 5 rows, and there are 4: use .*test_share\.$"):
        ids(problem("spent", PLAIN), rows(4))
    table = {**rows(20), "left": (np.arange(20) < 5).astype(np.int64)}
    with pytest.raises(UserError, match=r'5 rows of "true", and there are 4: .*lower split'):
        ids(problem("left", PLAIN), table, folds=5)


@pytest.mark.parametrize(
    ("test_share", "count", "fitted"),
    [
        (0.2, 3, [600, 667, 734]),
        (0.25, 1, [500]),
        (0.5, 2, [250, 375]),  # at least half of the training rows
        (0.1, 2, [800, 850]),
    ],
)
def test_folds_score_all_rows_from_their_origin_to_the_test(
    test_share: float, count: int, fitted: list[int]
) -> None:
    table = {"month": np.arange(1000.0) * DAY, "customer": np.arange(1000)}
    (train, test), *folds = ids(problem(), table, test_share=test_share, folds=count)
    assert len(test) == round(1000 * test_share)
    assert train == {*range(1000 - len(test))}
    assert folds == [({*range(size)}, {*range(size, len(train))}) for size in fitted]


def test_few_times_give_few_folds_and_the_last_is_the_test() -> None:
    table = {"month": np.repeat([0.0, 1, 2], [30, 30, 40]) * DAY, "customer": np.arange(100)}
    (train, test), (fitted, scored) = ids(problem(), table, folds=3)
    assert (train, test) == ({*range(60)}, {*range(60, 100)})
    assert (fitted, scored) == ({*range(30)}, {*range(30, 60)})


def test_just_enough_rows_of_a_class_are_split() -> None:
    table = {**rows(10), "left": np.arange(10) % 2}
    parts = ids(problem("left", PLAIN), table, folds=4)
    assert [len(scored) for _, scored in parts] == [2] * 5


def test_one_fold_scores_half_of_the_training_rows() -> None:
    _, (fitted, scored) = ids(problem("left", PLAIN), rows(), folds=1)
    assert (len(fitted), len(scored)) == (160, 160)


def write_rows(folder: Path, found: Problem, **changes: Any) -> Path:
    """Write 400 rows in ten months, and the schema that they follow."""
    number = pl.int_range(400, eager=True)
    month = (number // 40 * 30).cast(pl.Date).cast(pl.Datetime("ms"))
    columns = {
        "customer": number.cast(pl.String),
        "firm": (number // 4).cast(pl.String),
        "month": month,
        "class": "plus",
        "paid": number.cast(pl.Float64),
        "家": 1.0,
        "active": True,
        "since": month,
        "left": number % 3 == 0,
        "plan": "a",
        "spent": 1.0,
    }
    pl.DataFrame({**columns, **changes}).write_parquet(folder / ROWS)
    (folder / STORED).write_text(found.table.model_dump_json(indent=2), encoding="utf-8")
    return folder


@pytest.mark.parametrize("without", [(), PLAIN[:2]])
def test_stored_rows_are_split_by_time_if_they_have_one(
    without: tuple[str, ...], tmp_path: Path
) -> None:
    found = problem(without=without)
    splits = split(found, params(), write_rows(tmp_path, found))
    test = {int(name) for name in splits.test["customer"]}
    train = {int(name) for name in splits.train["customer"]}
    assert len(test) == 80
    assert train == {*range(400)} - test
    assert (min(test) == 320) == (not without)
    assert len(splits.folds) == (3 if without else 2)  # ten times only
    for fold in splits.folds:
        scored = {int(name) for name in fold.valid["customer"]}
        assert scored <= train - {int(name) for name in fold.train["customer"]}


@pytest.mark.parametrize("blank", [120, 121])
def test_rows_without_the_target_are_left_out_if_they_are_few(blank: int, tmp_path: Path) -> None:
    left = [None if n % 40 < 12 else n % 3 == 0 for n in range(400)]
    left[-1] = None if blank == 121 else True
    folder = write_rows(tmp_path, problem(), left=left)
    if blank == 120:
        splits = split(problem(), params(), folder)
        assert len(splits.train["left"]) + len(splits.test["left"]) == 400 - blank
    else:
        with pytest.raises(UserError, match=r"^121 of 400 rows have no left, a larger share"):
            split(problem(), params(), folder)


def test_part_without_a_class_is_refused(tmp_path: Path) -> None:
    early = pl.int_range(400, eager=True) < 200
    message = 'A part of the split has no row of the class "true"'
    with pytest.raises(UserError, match=message):
        split(problem(), params(), write_rows(tmp_path, problem(), left=early))
    with pytest.raises(UserError, match=message.replace("true", "false")):
        split(problem(), params(), write_rows(tmp_path, problem(), left=~early))
