"""A day has a budget in money and in tokens, also for several processes at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from project_package.support.spending import Amount, Spending

LIMIT = Amount(1.0, 1_000)
DAY = "2026-01-31"


@pytest.mark.parametrize("amount", [Amount(0.3, 1), Amount(0.0, 300)])
def test_no_more_is_spent_than_the_limit(tmp_path: Path, amount: Amount) -> None:
    spending = Spending(tmp_path / "spending.db")
    assert [spending.reserve(DAY, amount, LIMIT) for _ in range(5)] == [True] * 3 + [False] * 2


def test_a_call_counts_what_it_has_cost(tmp_path: Path) -> None:
    spending = Spending(tmp_path / "spending.db")
    assert spending.reserve(DAY, Amount(0.9, 900), LIMIT)
    assert not spending.reserve(DAY, Amount(0.2, 1), LIMIT)
    spending.correct(DAY, Amount(0.9, 900), Amount(0.1, 10))
    assert spending.reserve(DAY, Amount(0.9, 900), LIMIT)


def test_calls_at_once_keep_the_limit(tmp_path: Path) -> None:
    amount = Amount(0.1, 0)
    stores = [Spending(tmp_path / "spending.db") for _ in range(40)]
    with ThreadPoolExecutor(8) as threads:
        found = [*threads.map(lambda spending: spending.reserve(DAY, amount, LIMIT), stores)]
    assert sum(found) in {9, 10}  # .1 ten times may exceed 1 by rounding


def test_each_day_has_its_own_budget(tmp_path: Path) -> None:
    spending = Spending(tmp_path / "spending.db")
    assert [spending.reserve(DAY, LIMIT, LIMIT) for _ in range(2)] == [True, False]
    assert spending.reserve("2026-02-01", LIMIT, LIMIT)
