"""Rows are split by time, by group or at random, and the test is never touched by the search."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tabular.tables import params, problem, rows

from project_package.columns import Columns, take
from project_package.errors import UserError
from project_package.tabular.dataset import STORED
from project_package.tabular.problem import DAY, Problem
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
    assert len(folds) == 3
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
        ((), 400, {"gap_days": 400}, "too few for this split"),
        (PLAIN, 8, {}, "8 rows are too few for this split"),
    ],
)
def test_too_few_rows_are_refused(
    without: tuple[str, ...], count: int, split: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        ids(problem("plan", without), rows(count), **split)
