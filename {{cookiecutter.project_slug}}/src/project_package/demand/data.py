"""Load weekly rows, split them by time, and read files of weeks to forecast.

A data set is two files, each with one row for a product and week:
rows.parquet       validated, sorted by week and product
features.parquet   the same with their features
"""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from pydantic import Field

from ..contract import Columns, Frozen, take
from ..data.completejourney import Data, Script, gather
from ..data.sources import copy
from ..errors import SHOWN, UserError, Violation, refuse
from ..features.windows import MILLISECONDS_A_DAY
from ..fields import TIMESTAMP, columns_of
from ..params import Params
from ..training import Fold, Progress, Splits
from .features import LOOKBACK, PRODUCT, WEEK_DAYS, feature_columns
from .schemas import MAX_HISTORY, MIN_HISTORY, PLANNED, SOLD, DemandRequest, SoldWeek
from .validation import LAYOUT, check

ROWS, FEATURES = "rows.parquet", "features.parquet"
FIRST_MONDAY = date(2016, 12, 26)
"""The Monday of the purchases' week 1, which has one day only in the data."""
KEY = (PRODUCT, "week")
TIME = pl.col("week").dt.epoch("ms").alias(TIMESTAMP)


class DemandData(Data):
    """Where the weekly rows come from."""

    products: int = Field(default=600, ge=20, description="best-sold products of the purchases")


class Split(Frozen):
    """How many weeks test, and how many validate."""

    test_weeks: int = Field(default=8, ge=5, description="the newest, for the test")
    folds: int = Field(default=3, ge=1, description="forecast origins before the test")
    fold_weeks: int = Field(default=4, ge=1, description="to forecast from each origin")


class DemandParams(Params):
    """All parameters."""

    data: DemandData = DemandData()
    split: Split = Split()


def load_data(params: DemandParams, folder: Path, progress: Progress) -> None:
    """Write the weekly rows and their features into a folder; refuse rows that break a rule."""
    rows = folder / ROWS
    gather(params.data, weekly(params), LAYOUT, rows)
    progress(0.5)
    check(rows, params.data)
    progress(0.7)
    with_features(pl.read_parquet(rows)).write_parquet(folder / FEATURES)


def weekly(params: DemandParams) -> Script:
    """Return the script that makes weekly rows of the products that sold best before the test."""
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
        TIMESTAMP: table.select(TIME)[TIMESTAMP].to_numpy(),
        PRODUCT: table[PRODUCT].rank("dense").cast(pl.Int64).to_numpy(),
        **{name: table[name].fill_null(0).to_numpy() for name in SOLD},
        **{name: table[name].to_numpy() for name in PLANNED},
    }
    earlier = pl.int_range(pl.len()).over(PRODUCT).alias("weeks_before")
    return table.with_columns(
        earlier, *(pl.Series(name, values) for name, values in feature_columns(rows).items())
    )


def columns(table: pl.DataFrame) -> Columns:
    """Return weekly rows with features, without the first weeks of each product."""
    table = table.filter(pl.col("weeks_before") >= MIN_HISTORY).drop("weeks_before")
    return {column.name: column.to_numpy() for column in table.with_columns(TIME)}


def split(params: DemandParams, folder: Path) -> Splits:
    """Split by time: the test is the last weeks, each fold an earlier origin and the weeks after.

    Raises:
        UserError: the data covers too few weeks.
    """
    rows = columns(pl.read_parquet(folder / FEATURES))
    weeks, sizes = np.unique(rows[TIMESTAMP]), params.split
    needed = sizes.test_weeks + sizes.folds * sizes.fold_weeks + 1
    if len(weeks) < needed:
        raise UserError(
            f"The data covers {len(weeks) + MIN_HISTORY} weeks and these splits need "
            f"{needed + MIN_HISTORY}: lower split.test_weeks, split.folds or split.fold_weeks."
        )
    test = len(weeks) - sizes.test_weeks
    starts = [test - sizes.fold_weeks * (fold + 1) for fold in range(sizes.folds)]
    final = origin(rows, weeks[test], sizes.test_weeks)
    folds = tuple(origin(rows, weeks[start], sizes.fold_weeks) for start in starts)
    return Splits(train=final.train, folds=folds, test=final.valid)


def origin(rows: Columns, start: int, weeks: int) -> Fold:
    """Return what is known before the timestamp `start`, and so many weeks from it on."""
    end = start + weeks * WEEK_DAYS * MILLISECONDS_A_DAY
    time = rows[TIMESTAMP]
    return Fold(take(rows, time < start), take(rows, (time >= start) & (time < end)))


def read_batch(params: DemandParams, source: Path, folder: Path) -> Columns:
    """Read weeks to forecast, with their plans; the rows of the data set are their history.

    The file may leave out what was sold, which then comes from the data set.

    Raises:
        UserError: the file cannot be read, a column is missing, rows break a rule, or the weeks
            before a week are not known.
    """
    with TemporaryDirectory(dir=folder.parent, prefix=".batch-") as scratch:
        canonical = Path(scratch) / ROWS
        layout = replace(LAYOUT, optional=(*SOLD, "department"))
        own = params.data.model_copy(update={"source": str(source.absolute())})
        copy(own, layout, canonical)
        check(canonical, own, sold=False)
        asked = pl.read_parquet(canonical)
    both = with_features(_with_history(asked, pl.read_parquet(folder / ROWS), own))
    found = both.join(asked, on=KEY, how="semi", maintain_order="left")
    short = found.filter(pl.col("weeks_before") < MIN_HISTORY)
    _refuse(short, f"must have {MIN_HISTORY} weeks of history before it", own)
    return columns(found)


def _with_history(asked: pl.DataFrame, past: pl.DataFrame, data: Data) -> pl.DataFrame:
    """Merge weeks with the earlier ones of the data set; refuse gaps and unknown sales."""
    first, last = asked["week"].min() - pl.lit(LOOKBACK), asked["week"].max()
    known = past.join(asked, on=PRODUCT, how="semi").filter(pl.col("week").is_between(first, last))
    weeks = pl.concat([known, asked], how="diagonal").group_by(KEY)
    both = weeks.agg(pl.all().drop_nulls().last()).sort(LAYOUT.order)
    before = pl.col("week").shift(1).over(PRODUCT)
    follows = pl.col("week") - before == timedelta(days=WEEK_DAYS)
    sold = pl.col("units").shift(1).over(PRODUCT).is_not_null()
    gaps = both.filter(before.is_not_null() & ~(follows & sold))
    _refuse(gaps, "must follow a week whose units are known", data)
    return both


def _refuse(broken: pl.DataFrame, rule: str, data: Data) -> None:
    """Raise UserError if there are rows that break the rule."""
    if len(broken):
        examples = broken.head(SHOWN).select(KEY).to_dicts()
        found = Violation("week", rule, len(broken), examples)
        raise refuse("The weeks to forecast", [found], data.columns)


def recent_events(folder: Path) -> Columns:
    """Return the weeks that the features of new weeks read, as events."""
    week = pl.col("week")
    rows = pl.scan_parquet(folder / ROWS).filter(week > week.max() - LOOKBACK)
    table = rows.with_columns(TIME).select(list(columns_of(SoldWeek))).collect()
    return {column.name: column.to_numpy() for column in table}


def examples(folder: Path, rows: Columns, count: int) -> list[DemandRequest]:
    """Build requests with history from test rows, half of them promoted, with pseudonyms."""
    promoted = np.flatnonzero(rows["ad"] + rows["display"] > 0.5)[: count // 2]
    others = np.setdiff1d(np.arange(len(rows["ad"])), promoted)[: count - len(promoted)]
    table, requests = pl.read_parquet(folder / ROWS), []
    for number, row in enumerate(np.sort(np.concatenate([promoted, others])), 1):
        mine = (pl.col(PRODUCT) == rows[PRODUCT][row]) & (pl.col("week") <= rows["week"][row])
        weeks = table.filter(mine).tail(MAX_HISTORY + 1)
        *history, last = weeks.select(pl.col("week").dt.date(), *SOLD, *PLANNED).to_dicts()
        plan = {name: last[name] for name in ("week", *PLANNED)}
        values = {PRODUCT: f"product-{number}", "history": history, "plan": plan}
        requests.append(DemandRequest.model_validate(values))
    return requests
