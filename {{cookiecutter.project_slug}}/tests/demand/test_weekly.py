"""The SQL of the weekly table, on a few purchases that can be counted by hand."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from project_package.data.completejourney import build
from project_package.demand.dataset import FIRST_MONDAY, weekly
from project_package.demand.features import PLANS
from project_package.demand.params import DemandParams, Split

WEEKS = 12
START = datetime(FIRST_MONDAY.year, FIRST_MONDAY.month, FIRST_MONDAY.day)


def purchase(product: int, week: int, quantity: int = 1, store: int = 1, **more: float) -> Any:
    money = {"sales_value": 2.0 * quantity, "retail_disc": 0.5, "coupon_match_disc": 0.25, **more}
    return {"product_id": product, "week": week, "quantity": quantity, "store_id": store, **money}


def promotion(
    product: int, week: int, store: int = 1, display: str = "0", mailer: str = "0"
) -> Any:
    codes = {"display_location": display, "mailer_location": mailer}
    return {"product_id": product, "week": week, "store_id": store, **codes}


PRODUCTS = [
    {"product_id": 1, "department": "GROCERY", "product_category": "EGGS"},
    {"product_id": 2, "department": "PRODUCE", "product_category": None},
    {"product_id": 3, "department": "GROCERY", "product_category": "BREAD"},
    {"product_id": 8, "department": "FUEL", "product_category": "FUEL"},
    {"product_id": 9, "department": "GROCERY", "product_category": "COUPON/MISC ITEMS"},
]


def table(
    folder: Path, purchases: list[Any], promotions: list[Any] | None = None, products: int = 9
) -> pl.DataFrame:
    """Return the weekly table; the last five weeks are the test."""
    planned = promotions or [promotion(99, 2, mailer="A")]
    whole = {"transactions": [*purchases, purchase(1, WEEKS)], "promotions": planned}
    for name, rows in {**whole, "products": PRODUCTS}.items():
        pl.DataFrame(rows).write_parquet(folder / f"{name}.parquet")
    script = weekly(DemandParams(name="tiny", split=Split(test_weeks=5)))
    few = replace(script, variables={**script.variables, "most_products": products})
    build(few, folder, folder / "rows.parquet", 512)
    return pl.read_parquet(folder / "rows.parquet")


def test_adds_up_the_sales_of_all_stores(tmp_path: Path) -> None:
    found = table(tmp_path, [purchase(1, 3, 2, store=1), purchase(1, 3, 5, store=2)])
    row = found.filter(week=START + timedelta(weeks=2)).row(0, named=True)
    assert (row["product_id"], row["department"]) == ("1", "grocery")
    assert (row["units"], row["sales"], row["discount"]) == (7, 14, 1.5)


def test_week_without_a_purchase_has_zeros(tmp_path: Path) -> None:
    found = table(tmp_path, [purchase(1, 3), *(purchase(2, week) for week in range(1, WEEKS))])
    assert found.height == 2 * (WEEKS - 1)  # the first week has one day only
    mine = found.filter(product_id="1")
    assert mine.filter(pl.col("units") == 0).height == WEEKS - 1 - 2
    assert mine["week"].diff().drop_nulls().unique().to_list() == [timedelta(days=7)]


def test_keeps_the_products_that_sold_best_before_the_test(tmp_path: Path) -> None:
    early = [purchase(1, 2, 5), purchase(2, 7, 4), purchase(3, 6, 3)]
    late = [purchase(3, 8, 100)]  # of the last five weeks, the first
    found = table(tmp_path, [*early, *late], products=2)
    assert set(found["product_id"]) == {"1", "2"}


def test_leaves_out_fuel_and_coupons(tmp_path: Path) -> None:
    odd = [purchase(8, 3, 9_000), purchase(9, 3, 500)]
    assert set(table(tmp_path, [purchase(1, 3), *odd])["product_id"]) == {"1"}


@pytest.mark.parametrize(
    ("display", "mailer", "plan"),
    [
        ("0", "D", "ad_front"),
        ("0", "A", "ad_inside"),
        ("1", "0", "display_front"),
        ("5", "0", "display_end"),
        ("A", "0", "display_other"),
    ],
)
def test_each_code_counts_for_one_plan(
    tmp_path: Path, display: str, mailer: str, plan: str
) -> None:
    found = table(tmp_path, [purchase(1, 3)], [promotion(1, 4, display=display, mailer=mailer)])
    row = found.filter(week=START + timedelta(weeks=3)).row(0, named=True)
    assert {name: row[name] for name in PLANS} == dict.fromkeys(PLANS, 0) | {plan: 1}


def test_store_weighs_by_its_sales_before_the_test(tmp_path: Path) -> None:
    early = [purchase(1, 3, 15, store=1), purchase(1, 4, 5, store=2)]
    late = [purchase(1, week, 1_000, store=2) for week in (8, 9, 10)]
    twice = [promotion(1, 5, mailer="A"), promotion(1, 5, mailer="C")]
    found = table(tmp_path, [*early, *late], twice)
    # Half of the weight is the product's own units, 15 of 20; half all purchases, 1 of 2.
    assert found.filter(week=START + timedelta(weeks=4))["ad_inside"].item() == 0.625
