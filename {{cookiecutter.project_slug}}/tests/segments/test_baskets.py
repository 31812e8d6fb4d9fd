"""The SQL of the baskets, on a few purchases that can be counted by hand."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from project_package.data.completejourney import build
from project_package.data.import_rows import SourceParams
from project_package.segments.dataset import BASKETS
from project_package.segments.features import SPENT, TRAITS
from project_package.segments.validation import LAYOUT, check_baskets

DATA = SourceParams(source="own.parquet")
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
CLASSES = ("age", "income", "household_size", "kids_count")


def purchase(product: int, sales: float = 2.0, basket: int = 1, **more: Any) -> dict[str, Any]:
    discounts = {"retail_disc": 0.0, "coupon_disc": 0.0, "coupon_match_disc": 0.0}
    when = {"transaction_timestamp": MORNING}
    who = {"basket_id": basket, "household_id": 7, "product_id": product}
    return who | when | discounts | {"sales_value": sales, **more}


def table(
    folder: Path,
    purchases: list[dict[str, Any]],
    classes: Sequence[str] = ("35-44", "50-74K", "2", "0"),
    products: Sequence[tuple[int, str, str, str | None]] = PRODUCTS,
) -> pl.DataFrame:
    names = ["product_id", "department", "brand", "product_category"]
    person = dict(zip(CLASSES, classes, strict=True)) | {"household_id": 7}
    pl.DataFrame(purchases).write_parquet(folder / "transactions.parquet")
    pl.DataFrame(products, names, orient="row").write_parquet(folder / "products.parquet")
    pl.DataFrame([person]).write_parquet(folder / "demographics.parquet")
    build(BASKETS, folder, folder / "rows.parquet", 512)
    check_baskets(folder / "rows.parquet", DATA)
    return pl.read_parquet(folder / "rows.parquet")


def test_basket_is_the_sum_of_its_purchases(tmp_path: Path) -> None:
    discounts: dict[str, Any] = {"retail_disc": 0.4, "coupon_disc": 0.25, "coupon_match_disc": 0.1}
    grocery = purchase(UNNAMED, 3, **discounts)
    brand = purchase(BRAND, 2, retail_disc=1.0)
    bought = [grocery, brand, purchase(FRESH, 1), purchase(DRUG, 0.5)]
    (row,) = table(tmp_path, bought).to_dicts()
    assert (row["basket_id"], row["household_id"]) == ("1", "7")
    assert row["timestamp"] == MORNING
    assert {name: row[name] for name in SPENT} == {
        "sales": 6.5,
        "discount": 1.75,
        "store_brand": 3,
        "fresh": 1,
        "drugstore": 0.5,
    }


def test_leaves_out_fuel_and_coupons(tmp_path: Path) -> None:
    odd = [purchase(product, 40.0, retail_disc=5.0) for product in (FUEL, COUPON, MISC)]
    alone = [purchase(product, 40.0, basket=2) for product in (FUEL, COUPON, MISC)]
    found = table(tmp_path, [purchase(GROCERY), *odd, *alone])
    assert found.select("basket_id", "sales", "discount").rows() == [("1", 2.0, 0.0)]


def test_each_department_is_of_one_kind(tmp_path: Path) -> None:
    fresh = ["SALAD BAR", "MEAT", "MEAT-PCKGD", "SEAFOOD", "SEAFOOD-PCKGD"]
    departments = [*fresh, "COSMETICS", "NUTRITION", "DELI"]
    products = [(n, name, "National", "X") for n, name in enumerate(departments)]
    bought = [purchase(n, basket=n) for n in range(len(departments))]
    found = table(tmp_path, bought, products=products).sort("basket_id")
    assert found["fresh"].to_list() == [2] * 5 + [0] * 3
    assert found["drugstore"].to_list() == [0] * 5 + [2] * 2 + [0]


@pytest.mark.parametrize(
    ("classes", "numbers"),
    [
        (("19-24", "Under 15K", "5+", "0"), (22, 15, 5, 0)),
        (("65+", "100-124K", "2", "3+"), (65, 112, 2, 3)),
        (("35-44", "250K+", "2", "0"), (40, 250, 2, 0)),
    ],
)
def test_classes_of_known_households_become_numbers(
    tmp_path: Path, classes: tuple[str, ...], numbers: tuple[int, ...]
) -> None:
    bought = [purchase(GROCERY), purchase(GROCERY, basket=2, household_id=8)]
    known, unknown = table(tmp_path, bought, classes).select(TRAITS).rows()
    assert known == numbers
    assert unknown == (None,) * 4


def test_baskets_are_in_order_of_time(tmp_path: Path) -> None:
    hours = [purchase(GROCERY, basket=9 - hour, transaction_timestamp=datetime(2017, 3, 1, hour))
             for hour in (7, 3, 5)]  # fmt: skip
    found = table(tmp_path, hours)
    assert found["basket_id"].to_list() == ["6", "4", "2"]
    assert found.columns == [*LAYOUT.types]
