"""The table of baskets against a few purchases that can be counted by hand."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from project_package.data.completejourney import build, package_data
from project_package.segments.data import BASKETS, SegmentsParams
from project_package.segments.features import TRAITS
from project_package.segments.validation import LAYOUT, check

MORNING = datetime(2017, 3, 1, 9, 30)
GROCERY, BRAND, FRESH, DRUG, FUEL, COUPON, MISC, UNNAMED = range(8)
PRODUCTS = [
    (GROCERY, "GROCERY", "National", "EGGS"),
    (BRAND, "GROCERY", "Private", "MILK"),
    (FRESH, "PRODUCE", "Private", "APPLES"),
    (DRUG, "DRUG GM", "National", "SOAP"),
    (FUEL, "FUEL", "National", "FUEL"),
    (COUPON, "GROCERY", "National", "COUPON/MISC ITEMS"),
    (MISC, "MISCELLANEOUS", "National", None),
    (UNNAMED, "FROZEN GROCERY", "National", None),
]


def purchase(product: int, sales: float = 2.0, basket: int = 1, **more: Any) -> dict[str, Any]:
    let_off = {"retail_disc": 0.0, "coupon_disc": 0.0, "coupon_match_disc": 0.0}
    when = {"transaction_timestamp": MORNING}
    who = {"basket_id": basket, "household_id": 7, "product_id": product}
    return who | when | let_off | {"sales_value": sales, **more}


def person(**more: str | None) -> dict[str, Any]:
    known = {"age": "35-44", "income": "50-74K", "household_size": "2", "kids_count": "0"}
    return {"household_id": 7, **known, **more}


def table(
    folder: Path,
    purchases: list[dict[str, Any]],
    people: dict[str, Any] | None = None,
    products: Sequence[tuple[int, str, str, str | None]] = PRODUCTS,
) -> pl.DataFrame:
    names = ["product_id", "department", "brand", "product_category"]
    pl.DataFrame(purchases).write_parquet(folder / "transactions.parquet")
    pl.DataFrame(products, names, orient="row").write_parquet(folder / "products.parquet")
    pl.DataFrame([people or person()]).write_parquet(folder / "demographics.parquet")
    build(BASKETS, folder, folder / "rows.parquet", 512)
    check(folder / "rows.parquet", 512)
    return pl.read_parquet(folder / "rows.parquet")


def test_a_basket_is_the_sum_of_its_purchases(tmp_path: Path) -> None:
    bought = [purchase(GROCERY, 3), purchase(BRAND, 2), purchase(FRESH, 1), purchase(DRUG, 0.5)]
    (row,) = table(tmp_path, bought).to_dicts()
    assert (row["basket_id"], row["household_id"]) == ("1", "7")
    assert row["timestamp"] == MORNING
    assert {name: row[name] for name in ("sales", "store_brand", "fresh", "drugstore")} == {
        "sales": 6.5,
        "store_brand": 3,
        "fresh": 1,
        "drugstore": 0.5,
    }


def test_all_three_kinds_of_discounts_are_added_up(tmp_path: Path) -> None:
    let_off: dict[str, Any] = {"retail_disc": 0.4, "coupon_disc": 0.25, "coupon_match_disc": 0.1}
    found = table(tmp_path, [purchase(GROCERY, **let_off), purchase(BRAND, retail_disc=1.0)])
    assert found["discount"].to_list() == [1.75]


def test_fuel_and_coupons_are_left_out_and_a_basket_of_nothing_else_too(tmp_path: Path) -> None:
    odd = [purchase(product, 40.0, retail_disc=5.0) for product in (FUEL, COUPON, MISC)]
    alone = [purchase(product, 40.0, basket=2) for product in (FUEL, COUPON, MISC)]
    found = table(tmp_path, [purchase(GROCERY), *odd, *alone])
    assert found.select("basket_id", "sales", "discount").rows() == [("1", 2.0, 0.0)]


def test_goods_without_a_category_count(tmp_path: Path) -> None:
    assert table(tmp_path, [purchase(UNNAMED)])["sales"].to_list() == [2]


@pytest.mark.parametrize(
    ("department", "kind"),
    [
        ("SALAD BAR", "fresh"),
        ("MEAT", "fresh"),
        ("MEAT-PCKGD", "fresh"),
        ("SEAFOOD", "fresh"),
        ("SEAFOOD-PCKGD", "fresh"),
        ("COSMETICS", "drugstore"),
        ("NUTRITION", "drugstore"),
        ("DELI", None),
    ],
)
def test_each_department_is_of_one_kind(tmp_path: Path, department: str, kind: str | None) -> None:
    products = [(GROCERY, department, "National", "X")]
    (row,) = table(tmp_path, [purchase(GROCERY)], products=products).to_dicts()
    assert (row["fresh"], row["drugstore"]) == (2 * (kind == "fresh"), 2 * (kind == "drugstore"))


@pytest.mark.parametrize(
    ("trait", "classes"),
    [
        ("age", {"19-24": 22, "25-34": 30, "35-44": 40, "45-54": 50, "55-64": 60, "65+": 65}),
        ("income", {"Under 15K": 15, "15-24K": 20, "25-34K": 30, "35-49K": 42, "50-74K": 62}),
        ("income", {"75-99K": 87, "100-124K": 112, "125-149K": 137, "150-174K": 162}),
        ("income", {"175-199K": 187, "200-249K": 225, "250K+": 250}),
        ("household_size", {"1": 1, "4": 4, "5+": 5}),
        ("kids_count", {"0": 0, "2": 2, "3+": 3}),
    ],
)
def test_a_class_becomes_a_number(tmp_path: Path, trait: str, classes: dict[str, int]) -> None:
    ours = "children" if trait == "kids_count" else trait
    for name, number in classes.items():
        found = table(tmp_path, [purchase(GROCERY)], person(**{trait: name}))
        assert found[ours].to_list() == [number]


def test_a_household_of_which_nothing_is_known_has_no_traits(tmp_path: Path) -> None:
    found = table(tmp_path, [purchase(GROCERY), purchase(GROCERY, basket=2, household_id=8)])
    known, unknown = found.select(TRAITS).rows()
    assert known == (40, 62, 2, 0)
    assert unknown == (None,) * 4


def test_baskets_are_in_order_of_time_with_the_columns_of_the_layout(tmp_path: Path) -> None:
    hours = [purchase(GROCERY, basket=9 - hour, transaction_timestamp=datetime(2017, 3, 1, hour))
             for hour in (7, 3, 5)]  # fmt: skip
    found = table(tmp_path, hours)
    assert found["basket_id"].to_list() == ["6", "4", "2"]
    assert found.columns == [*LAYOUT.types]


def test_all_published_classes_are_known_and_all_purchases_fit(tmp_path: Path) -> None:
    limit = SegmentsParams(name="tiny").data.duckdb_mib
    build(BASKETS, package_data(), tmp_path / "rows.parquet", limit)
    check(tmp_path / "rows.parquet")
    found = pl.read_parquet(tmp_path / "rows.parquet")
    assert found["household_id"].n_unique() > 2_400
    people = found.group_by("household_id").agg(pl.col(TRAITS).first()).drop_nulls()
    assert people.height == pl.read_parquet(package_data() / "demographics.parquet").height
