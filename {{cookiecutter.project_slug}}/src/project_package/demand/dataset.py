"""Load weekly rows, and read files of weeks to forecast.

A data set is two files, each with one row for a product and week:
rows.parquet       validated, sorted by week and product
features.parquet   the same with their features
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from ..columns import TIMESTAMP, Columns, columns_of
from ..contract.training import Progress, Run
from ..data.completejourney import Data, Script, gather
from ..data.import_files import import_files
from ..data.import_rows import import_rows
from ..data.violations import SHOWN, Violation, violations_error
from ..features.chunks import ROWS_AT_ONCE, Chunk, chunks, write_in_chunks
from .features import LOOKBACK, PRODUCT, WEEK_DAYS, feature_columns
from .params import DemandParams
from .schemas import MAX_HISTORY, MIN_HISTORY, PLANNED, SOLD, DemandRequest, SoldWeek
from .validation import LAYOUT, check_weeks

ROWS = "rows.parquet"
FEATURES = "features.parquet"
WEEK = timedelta(days=WEEK_DAYS)


FIRST_MONDAY = date(2016, 12, 26)
"""The Monday of the purchases' week 1, which has one day only in the data."""


KEY = (PRODUCT, "week")


TIME = pl.col("week").dt.epoch("ms").alias(TIMESTAMP)


def load_data(params: DemandParams, folder: Path, progress: Progress) -> None:
    """Write the weekly rows into a folder; refuse rows that break a rule."""
    rows = folder / ROWS
    gather(params.data, weekly(params), LAYOUT, rows)
    progress(0.5)
    check_weeks(rows, params.data)
    progress(0.7)


def compute_features(_: DemandParams, folder: Path, progress: Progress, run: Run) -> None:
    """Write the weekly rows of a folder with their features."""
    rows = pl.scan_parquet(folder / ROWS)
    week = pl.col("week")
    summary = rows.select(first=week.min(), last=week.max(), count=pl.len())
    start, last, count = summary.collect().row(0)
    end = last + WEEK
    step = max(LOOKBACK, ROWS_AT_ONCE * ((end - start) // WEEK) // count * WEEK)
    first_weeks = rows.group_by(PRODUCT).agg(first=week.min())
    compute = partial(features_of_chunk, rows, first_weeks)
    write_in_chunks(compute, chunks(start, end, step), folder / FEATURES, run, progress)


def features_of_chunk(rows: pl.LazyFrame, first_weeks: pl.LazyFrame, chunk: Chunk) -> pl.DataFrame:
    """Return the weekly rows of a chunk with their features."""
    week = pl.col("week")
    reach = week.is_between(chunk.start - LOOKBACK, chunk.end, closed="left")
    table = with_features(rows.filter(reach).collect()).filter(week >= chunk.start)
    table = table.join(first_weeks.collect(), on=PRODUCT, maintain_order="left")
    before = (week - pl.col("first")).dt.total_days() // WEEK_DAYS  # no week is missing
    return table.with_columns(weeks_before=before).drop("first")


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


BATCH_LAYOUT = replace(LAYOUT, optional=(*SOLD, "department"))


def batch_history(params: DemandParams, files: Sequence[Path], folder: Path, target: Path) -> None:
    """Write the weeks of the data set and of files; raise UserError if they break a rule."""
    import_files(params.data, BATCH_LAYOUT, files, target / ROWS)
    check_weeks(target / ROWS, params.data, sold=False)
    past, batch = (pl.read_parquet(where / ROWS) for where in (folder, target))
    _latest(past, batch).write_parquet(target / ROWS)


def _latest(past: pl.DataFrame, batch: pl.DataFrame) -> pl.DataFrame:
    """Merge weeks: what a batch leaves out comes from the past."""
    weeks = pl.concat([past, batch], how="diagonal").group_by(KEY)
    return weeks.agg(pl.all().drop_nulls().last()).sort(LAYOUT.order)


def read_batch(params: DemandParams, source: Path, folder: Path) -> Columns:
    """Read weeks to forecast, with their plans; the rows of the data set are their history.

    The file may leave out what was sold, which then comes from the data set.

    Raises:
        UserError: the file cannot be read, a column is missing, rows break a rule, or the weeks
            before a week are not known.
    """
    with TemporaryDirectory(dir=folder.parent, prefix=".batch-") as scratch:
        canonical = Path(scratch) / ROWS
        data = params.data.with_source(source)
        import_rows(data, BATCH_LAYOUT, canonical)
        check_weeks(canonical, data, sold=False)
        asked = pl.read_parquet(canonical)
    both = with_features(_with_history(asked, pl.read_parquet(folder / ROWS), data))
    found = both.join(asked, on=KEY, how="semi", maintain_order="left")
    short = found.filter(pl.col("weeks_before") < MIN_HISTORY)
    _refuse(short, f"must have {MIN_HISTORY} weeks of history before it", data)
    return columns(found)


def _with_history(asked: pl.DataFrame, past: pl.DataFrame, data: Data) -> pl.DataFrame:
    """Merge weeks with the earlier ones of the data set; refuse gaps and unknown sales."""
    first = asked["week"].min() - pl.lit(LOOKBACK)
    last = asked["week"].max()
    known = past.join(asked, on=PRODUCT, how="semi").filter(pl.col("week").is_between(first, last))
    both = _latest(known, asked)
    before = pl.col("week").shift(1).over(PRODUCT)
    follows = pl.col("week") - before == WEEK
    sold = pl.col("units").shift(1).over(PRODUCT).is_not_null()
    gaps = both.filter(before.is_not_null() & ~(follows & sold))
    _refuse(gaps, "must follow a week whose units are known", data)
    return both


def _refuse(broken: pl.DataFrame, rule: str, data: Data) -> None:
    """Raise UserError if there are rows that break the rule."""
    if len(broken):
        examples = broken.head(SHOWN).select(KEY).to_dicts()
        violation = Violation("week", rule, len(broken), examples)
        raise violations_error("The weeks to forecast", [violation], data.columns)


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
    table = pl.read_parquet(folder / ROWS)
    requests = []
    for number, row in enumerate(np.sort(np.concatenate([promoted, others])), 1):
        until = (pl.col(PRODUCT) == rows[PRODUCT][row]) & (pl.col("week") <= rows["week"][row])
        weeks = table.filter(until).tail(MAX_HISTORY + 1)
        *history, last = weeks.select(pl.col("week").dt.date(), *SOLD, *PLANNED).to_dicts()
        plan = {name: last[name] for name in ("week", *PLANNED)}
        values = {PRODUCT: f"product-{number}", "history": history, "plan": plan}
        requests.append(DemandRequest.model_validate(values))
    return requests
