"""The table of households: features read purchases before the month, outcomes those after it."""

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from project_package.data.completejourney import build, package_data
from project_package.data.table_schema import Role, Schema, read_schema
from project_package.tabular.dataset import HOUSEHOLDS
from project_package.tabular.params import TabularData
from project_package.tabular.schema_file import SchemaOptions, look

OUTCOMES = ["lapsed", "spend_next_28d"]
AUGUST = datetime(2017, 8, 1)
SHIPPED = Path(__file__).with_name("schema.toml")


def table(folder: Path, purchases: pl.LazyFrame) -> pl.DataFrame:
    """Build the table of households from some of the purchases."""
    for name in ("demographics", "coupon_redemptions"):
        (folder / f"{name}.parquet").symlink_to(package_data() / f"{name}.parquet")
    purchases.sink_parquet(folder / "transactions.parquet")
    build(HOUSEHOLDS, folder, folder / "rows.parquet", 512)
    return pl.read_parquet(folder / "rows.parquet")


@pytest.fixture(scope="module")
def purchases() -> pl.LazyFrame:
    return pl.scan_parquet(package_data() / "transactions.parquet")


@pytest.fixture(scope="module")
def households(purchases: pl.LazyFrame, tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    return table(tmp_path_factory.mktemp("all"), purchases)


def test_outcomes_are_the_purchases_of_the_next_28_days(
    households: pl.DataFrame, purchases: pl.LazyFrame
) -> None:
    time = pl.col("transaction_timestamp")
    for month in (AUGUST, datetime(2017, 12, 1)):
        later = time.is_between(month, month + timedelta(days=28), closed="left")
        spent = purchases.filter(later).group_by("household_id").agg(pl.col("sales_value").sum())
        expected = dict(spent.with_columns(pl.col("household_id").cast(pl.String)).collect().rows())
        found = households.filter(month=month)
        for household, lapsed, amount in found.select("household_id", *OUTCOMES).rows():
            assert lapsed == (household not in expected)
            assert amount == pytest.approx(expected.get(household, 0), abs=0.006)
        assert 0.1 < found["lapsed"].sum() / len(found) < 0.2


def test_features_do_not_change_with_later_purchases(
    households: pl.DataFrame, purchases: pl.LazyFrame, tmp_path: Path
) -> None:
    before = table(tmp_path, purchases.filter(pl.col("transaction_timestamp") < AUGUST))
    one, two = (rows.filter(month=AUGUST).drop(OUTCOMES) for rows in (households, before))
    assert one.equals(two)
    assert before.filter(month=AUGUST)["lapsed"].all()


def test_a_household_has_a_row_for_each_active_month(households: pl.DataFrame) -> None:
    assert not households.select("household_id", "month").is_duplicated().any()
    assert households["month"].n_unique() == 9
    assert households["days_since_last"].is_between(0, 91).all()
    assert (households["baskets_28d"] <= households["baskets_91d"]).all()
    assert (households["last_basket"] < households["month"]).all()


def test_schema_that_comes_with_the_data_is_the_profile_of_it() -> None:
    data = TabularData(source="completejourney", target="lapsed")
    roles: dict[str, Role] = {"month": "time", "household_id": "group", "spend_next_28d": "outcome"}
    found = look(data, SchemaOptions(data.source, "lapsed", roles, {})).schema
    shipped = read_schema(SHIPPED)
    described = {n: c.model_copy(update={"description": ""}) for n, c in shipped.columns.items()}
    assert Schema(columns=described) == found
    assert all(column.description for column in shipped.columns.values())
