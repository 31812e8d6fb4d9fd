"""Raw purchases in, a checked weekly table out; and how it is cut by time, origin after origin.

rows.parquet       one row a product and week, in our columns, sorted by week and product
features.parquet   the same with their features
"""

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from ..contract import Columns, Fold, Frozen, Params, Progress, Splits, take
from ..errors import SHOWN, UserError, Violation, refuse
from ..features.history import EVENT
from ..data.completejourney import Data, Script, gather
from ..data.sources import Source, copy
from .task import LEAST_HISTORY, MAX_HISTORY, DemandRequest
from .features import LOOKBACK_DAYS, PLANS, PRODUCT, SOLD, WEEK_DAYS, feature_columns
from .validation import LAYOUT, check

ROWS, FEATURES = "rows.parquet", "features.parquet"
FIRST_MONDAY = date(2016, 12, 26)
"""When week 1 of the purchases begins, which is of 2017 and has one day only of that week."""
KEY = (PRODUCT, "week")


class DemandData(Data):
    """Where the weekly rows come from, and how many products are kept of the purchases."""

    products: int = Field(default=600, ge=20, description="best-sold products of the purchases")


class Split(Frozen):
    """Weeks of test, the newest, and the earlier origins to choose settings at."""

    test_weeks: int = Field(default=8, ge=5, description="to judge on, not to choose by")
    folds: int = Field(default=3, ge=1, description="origins before the test")
    fold_weeks: int = Field(default=4, ge=1, description="that are forecast from each origin")


class DemandParams(Params):
    """All parameters."""

    data: DemandData = DemandData()
    split: Split = Split()


def collect(params: DemandParams, folder: Path, progress: Progress) -> None:
    """Write the checked weekly rows and their features into a new folder.

    Raises:
        UserError: a source that cannot be read, or rows that break the schema.
    """
    rows, data = folder / ROWS, params.data
    gather(data, weekly(params), LAYOUT, rows)
    progress(0.5)
    check(rows, data.duckdb_mib)
    progress(0.7)
    with_features(pl.read_parquet(rows)).write_parquet(folder / FEATURES)


def weekly(params: DemandParams) -> Script:
    """Say how the purchases become the weekly rows of the products that sell best.

    Only what was sold before the weeks of the test decides which products these are.
    """
    return Script(
        folder=__package__,
        file="weekly.sql",
        tables=("transactions", "products", "promotions"),
        variables={
            "first_monday": FIRST_MONDAY,
            "test_weeks": params.split.test_weeks,
            "most_products": params.data.products,
        },
        result="weekly",
        order="week, product_id",
    )


def with_features(table: pl.DataFrame) -> pl.DataFrame:
    """Add the features to weekly rows in order of week; what was sold may be missing."""
    rows = {
        "timestamp": table["week"].dt.cast_time_unit("ms").to_physical().to_numpy(),
        PRODUCT: table[PRODUCT].rank("dense").cast(pl.Int64).to_numpy(),
        **{name: table[name].fill_null(0).to_numpy() for name in (*SOLD, *PLANS)},
    }
    earlier = pl.int_range(pl.len()).over(PRODUCT).alias("weeks_before")
    computed = feature_columns(rows)
    return table.with_columns(earlier, *(pl.Series(name, v) for name, v in computed.items()))


def split(params: DemandParams, folder: Path) -> Splits:
    """Cut by time: the test is the last weeks, each fold an earlier origin and the weeks after it.

    Weeks before which a product has fewer than `LEAST_HISTORY` others are history only.

    Raises:
        UserError: the data covers too few weeks.
    """
    rows = columns(pl.read_parquet(folder / FEATURES))
    weeks, cut = np.unique(rows["timestamp"]), params.split
    needed = cut.test_weeks + cut.folds * cut.fold_weeks + 1
    if len(weeks) < needed:
        raise UserError(
            f"The data covers {len(weeks) + LEAST_HISTORY} weeks and these splits need "
            f"{needed + LEAST_HISTORY}: lower split.test_weeks, split.folds or split.fold_weeks."
        )
    test = len(weeks) - cut.test_weeks
    starts = [test - cut.fold_weeks * (fold + 1) for fold in range(cut.folds)]
    final = origin(rows, weeks[test], cut.test_weeks)
    folds = tuple(origin(rows, weeks[start], cut.fold_weeks) for start in starts)
    return Splits(train=final.train, folds=folds, test=final.valid)


def origin(rows: Columns, start: int, weeks: int) -> Fold:
    """Fit on what is known before the week `start` (a timestamp), and forecast weeks from it on."""
    end = start + weeks * WEEK_DAYS * 86_400_000
    time = rows["timestamp"]
    return Fold(take(rows, time < start), take(rows, (time >= start) & (time < end)))


def columns(table: pl.DataFrame) -> Columns:
    """Turn weekly rows with features into columns; without the first weeks of each product."""
    table = table.filter(pl.col("weeks_before") >= LEAST_HISTORY).drop("weeks_before")
    time = pl.col("week").dt.cast_time_unit("ms").to_physical().alias("timestamp")
    return {column.name: column.to_numpy() for column in table.with_columns(time)}


def batch(params: DemandParams, source: Path, folder: Path) -> Columns:
    """Read weeks to forecast, with their plans; the folder's rows are their history.

    What was sold may be missing in a file, and then is what the folder knows.

    Raises:
        UserError: a file that cannot be read, columns that are missing, rows that break a rule, or
            a week before which some week's sales are not known.
    """
    limit = params.data.duckdb_mib
    with TemporaryDirectory(dir=folder.parent, prefix=".batch-") as scratch:
        fresh = Path(scratch) / ROWS
        layout = replace(LAYOUT, optional=(*SOLD, "department"))
        copy(Source(str(source), params.data.columns), layout, fresh, limit)
        check(fresh, limit, sold=False)
        asked = pl.read_parquet(fresh)
    both = _with_history(asked, pl.scan_parquet(folder / ROWS))
    mine = with_features(both).join(asked.select(KEY), on=KEY, how="semi", maintain_order="left")
    _refuse_short_history(mine)
    return columns(mine)


def _with_history(asked: pl.DataFrame, past: pl.LazyFrame) -> pl.DataFrame:
    """Put the asked rows among those of the folder, sorted; refuse gaps and unknown sales."""
    first, last = asked["week"].min(), asked["week"].max()
    assert isinstance(first, datetime)  # noqa: S101 - the schema has checked it
    known = past.filter(
        pl.col(PRODUCT).is_in(asked[PRODUCT].unique().implode())
        & (pl.col("week") >= first - timedelta(days=LOOKBACK_DAYS[PRODUCT]))
        & (pl.col("week") <= last)
    ).collect()
    both = known.join(asked, on=KEY, how="full", coalesce=True, suffix="_asked")
    names = [name for name in LAYOUT.types if name not in KEY]
    merged = [
        pl.coalesce(f"{name}_asked", name).alias(name) for name in names if name in asked.columns
    ]
    both = both.with_columns(merged).select(list(LAYOUT.types)).sort(LAYOUT.order)
    before = pl.col("week").shift(1).over(PRODUCT)
    follows = before.is_null() | (pl.col("week") - before == timedelta(days=WEEK_DAYS))
    sold = pl.col("units").shift(1).over(PRODUCT).is_not_null() | before.is_null()
    broken = both.filter(~(follows & sold))
    if len(broken):
        raise _refuse("must follow a week whose units are known", broken)
    return both


def _refuse_short_history(rows: pl.DataFrame) -> None:
    """Refuse products that are too new to be forecast."""
    broken = rows.filter(pl.col("weeks_before") < LEAST_HISTORY)
    if len(broken):
        raise _refuse(f"must have {LEAST_HISTORY} weeks of history before it", broken)


def _refuse(rule: str, broken: pl.DataFrame) -> UserError:
    examples = broken.head(SHOWN).select(KEY).to_dicts()
    return refuse("The weeks to forecast", [Violation("week", rule, len(broken), examples)])


def history(folder: Path) -> Columns:
    """Give the weeks that the features of new ones depend on."""
    table, week = pl.scan_parquet(folder / ROWS), pl.col("week")
    days = LOOKBACK_DAYS[PRODUCT]
    rows = table.filter(week > week.max() - timedelta(days=days)).collect()
    names = rows.select(pl.format("{} {}", PRODUCT, week.dt.date()).alias(EVENT))
    return {
        "timestamp": rows["week"].dt.cast_time_unit("ms").to_physical().to_numpy(),
        **{name: rows[name].to_numpy() for name in (PRODUCT, *SOLD, *PLANS)},
        EVENT: names[EVENT].to_numpy(),
    }


def examples(folder: Path, rows: Columns, count: int) -> list[DemandRequest]:
    """Build requests for some rows, promoted ones among them, each with its history."""
    table = pl.scan_parquet(folder / ROWS)
    return [
        _request(table, str(rows[PRODUCT][place]), int(rows["timestamp"][place]))
        for place in _chosen(rows, count)
    ]


def _chosen(rows: Columns, count: int) -> list[int]:
    """Choose rows, half of them promoted where there are so many; all when all are wanted."""
    promoted = np.flatnonzero(rows["ad"] + rows["display"] > 0.5)[: count // 2]
    others = np.setdiff1d(np.arange(len(rows["ad"])), promoted)[: count - len(promoted)]
    return sorted([*promoted.tolist(), *others.tolist()])


def _request(table: pl.LazyFrame, product: str, timestamp: int) -> DemandRequest:
    """Read a product's week and the weeks before it."""
    week, time = pl.col("week"), pl.lit(timestamp).cast(pl.Datetime("ms"))
    mine = table.filter((pl.col(PRODUCT) == product) & (week <= time)).sort("week")
    weeks: list[dict[str, Any]] = (
        mine.select(week.dt.date(), *SOLD, *PLANS).tail(MAX_HISTORY + 1).collect().to_dicts()
    )
    *history, plan = weeks
    for name in SOLD:
        del plan[name]
    return DemandRequest.model_validate({"product_id": product, "history": history, "plan": plan})
