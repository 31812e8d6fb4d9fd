"""Raw payments in, a checked data set out; and how it is cut by time, with the delay of labels.

rows.parquet       the payments as they came, in our columns, sorted by time
features.parquet   the same with their features
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from .. import settings
from ..contract import Columns, Fold, Frozen, Params, Progress, Splits
from ..errors import SHOWN, UserError, Violation, refuse
from ..features.history import EVENT
from ..data.sources import Source, copy
from .task import MAX_HISTORY, FraudRequest
from .features import CARD, LABEL_DELAY_DAYS, LOOKBACK_DAYS, TERMINAL
from .validation import LAYOUT, check
from .simulator import simulate
from .table import PROGRAM_MIB, build_feature_table

ROWS, FEATURES = "rows.parquet", "features.parquet"
SIMULATOR = "simulator"


class Data(Frozen):
    """Where payments come from, and how many are simulated when there is no source."""

    source: str = Field(default="simulator", description="simulator, sql, or a path or glob")
    query: str = Field(default="", description="for sql: the query; DATA_URL has the address")
    columns: dict[str, str] = Field(
        default_factory=dict, description="our column name = own column name"
    )
    customers: int = Field(default=5_000, ge=100, description="simulated cards")
    terminals: int = Field(default=10_000, ge=200, description="simulated terminals")
    days: int = Field(default=183, ge=1, description="simulated days")
    seed: int = Field(default=7, ge=0, description="of the simulator")
    memory_limit_mib: int = Field(default=1024, ge=512, description="of the whole process")

    @property
    def duckdb_mib(self) -> int:
        """What the limit leaves to DuckDB, beside the program with its libraries."""
        return self.memory_limit_mib - PROGRAM_MIB


class Split(Frozen):
    """Days of training and weeks of test, the newest last; labels arrive a week late."""

    train_days: int = Field(default=7, ge=7, description="days of rows to fit on")
    folds: int = Field(default=2, ge=1, description="weeks to choose settings on, before the test")
    test_weeks: int = Field(default=4, ge=2, description="weeks to judge on")


class Decide(Frozen):
    """What a decision costs."""

    review_cost: float = Field(default=10.0, gt=0, description="of looking at a flagged payment")


class FraudParams(Params):
    """All parameters."""

    data: Data = Data()
    split: Split = Split()
    decide: Decide = Decide()


def collect(params: FraudParams, folder: Path, progress: Progress) -> None:
    """Write the checked payments and their features into a new folder.

    Raises:
        UserError: a source that cannot be read, or rows that break the schema.
    """
    rows, data = folder / ROWS, params.data
    _read(data, rows)
    progress(0.4)
    check(rows, data.duckdb_mib)
    progress(0.5)
    table, target = pl.scan_parquet(rows), folder / FEATURES
    build_feature_table(table, target, data.memory_limit_mib, lambda d: progress(0.5 + d / 2))


def _read(data: Data, rows: Path) -> None:
    if data.source == SIMULATOR:
        simulate(data.customers, data.terminals, data.days, data.seed).write_parquet(rows)
        return
    url = settings.read().data_url.get_secret_value()
    source = Source(data.source, data.columns, data.query, url)
    copy(source, LAYOUT, rows, data.duckdb_mib)


def split(params: FraudParams, folder: Path) -> Splits:
    """Cut by time: train, a week of waiting for labels, the weeks of the test.

    The weeks of the folds end where the labels known at the start of the test end, and each has
    its own training days a week of waiting before it. Test rows of cards that were already known
    as compromised are left out (Le Borgne et al. 2022).

    Raises:
        UserError: the data covers too few days.
    """
    table = pl.scan_parquet(folder / FEATURES)
    first, last = _span(table)
    test = last + 1 - 7 * params.split.test_weeks
    end = test - LABEL_DELAY_DAYS
    starts = [end - 7 * (fold + 1) for fold in range(params.split.folds)]
    earliest = starts[-1] - LABEL_DELAY_DAYS - params.split.train_days
    if earliest < first:
        raise UserError(
            f"The data covers {last + 1 - first} days and these splits need "
            f"{last + 1 - earliest}: lower split.train_days, split.folds or split.test_weeks."
        )
    between = partial(_between, params, table)
    return Splits(
        train=between(end - params.split.train_days, end),
        folds=tuple(
            Fold(
                between(known - params.split.train_days, known),
                _unknown(between(start - 14, start + 7), start),
            )
            for start in starts
            for known in (start - LABEL_DELAY_DAYS,)
        ),
        test=_unknown(between(test - 14, last + 1), test),
    )


def _span(table: pl.LazyFrame) -> tuple[int, int]:
    """Give the first day, and the last on which every label is known."""
    day, unknown = pl.col("timestamp").dt.epoch("d"), pl.col("is_fraud").is_null()
    known = pl.min_horizontal(day.max(), day.filter(unknown).min() - 1)
    return table.select(day.min().alias("first"), known.alias("last")).collect().row(0)


def _between(params: FraudParams, table: pl.LazyFrame, first: int, end: int) -> Columns:
    """Read the rows of the days [first, end) as columns."""
    day = pl.col("timestamp").dt.epoch("d")
    return columns(params, table.filter((day >= first) & (day < end)).collect())


def columns(params: FraudParams, table: pl.DataFrame) -> Columns:
    """Turn a table into columns, with each card's code, the day since 1970 and a review's cost."""
    table = table.with_columns(
        pl.col("timestamp").dt.epoch("d").alias("day"),
        pl.col(CARD).rank("dense").alias("customer"),
        pl.col("timestamp").cast(pl.Datetime("ms")).to_physical(),
        pl.col("is_fraud").fill_null(False),
        pl.lit(params.decide.review_cost).alias("review_cost"),
    )
    return {column.name: column.to_numpy() for column in table}


def _unknown(rows: Columns, start: int) -> Columns:
    """Keep the rows from `start` on whose card is not known as compromised on their day.

    A card is known once a fraud of it is older than the delay; `rows` begin two weeks earlier.
    """
    never = np.iinfo(np.int64).max
    first_fraud = np.full(int(rows["customer"].max(initial=0)) + 1, never)
    frauds = np.flatnonzero(rows["is_fraud"])
    np.minimum.at(first_fraud, rows["customer"][frauds], rows["day"][frauds])
    known = first_fraud[rows["customer"]] <= rows["day"] - LABEL_DELAY_DAYS - 1
    kept: NDArray[np.bool_] = (rows["day"] >= start) & ~known
    return {name: values[kept] for name, values in rows.items()}


def batch(params: FraudParams, source: Path, folder: Path) -> Columns:
    """Read payments to judge and compute their features; the folder's rows are their history.

    Raises:
        UserError: a file that cannot be read, columns that are missing, or rows that break a rule.
    """
    with TemporaryDirectory(dir=folder.parent, prefix=".batch-") as scratch:
        fresh, target = Path(scratch) / ROWS, Path(scratch) / FEATURES
        layout = replace(LAYOUT, optional=("is_fraud",))
        copy(
            Source(str(source.absolute()), params.data.columns),
            layout,
            fresh,
            params.data.duckdb_mib,
        )
        check(fresh, params.data.duckdb_mib, labelled=False)
        both, ids = _with_history(pl.read_parquet(fresh), pl.scan_parquet(folder / ROWS))
        build_feature_table(both.lazy(), target, params.data.memory_limit_mib)
        mine = pl.scan_parquet(target).filter(pl.col("transaction_id").is_in(ids.implode()))
        return columns(params, mine.collect())


def _with_history(fresh: pl.DataFrame, past: pl.LazyFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Put what the fresh rows look back on before them, sorted by time; give their ids too.

    A label is the file's own, or else the one that the data set knows of the same payment.
    """
    time, ids = pl.col("timestamp"), fresh["transaction_id"]
    if "is_fraud" not in fresh.columns:
        fresh = fresh.with_columns(pl.lit(None, pl.Boolean).alias("is_fraud"))
    first, last = fresh.select(time.min().alias("first"), time.max().alias("last")).row(0)
    again = pl.col("transaction_id").is_in(ids.implode())
    raw = [name for name in LAYOUT.types if name != "is_fraud"]
    known = past.filter(again).select(*raw, known="is_fraud").collect()
    _refuse("transaction_id", "must not be that of another payment", known.join(fresh, raw, "anti"))
    fresh = fresh.join(known, on=raw, how="left").with_columns(
        pl.coalesce("is_fraud", "known").alias("is_fraud")
    )
    start = first - timedelta(days=max(LOOKBACK_DAYS.values()))
    recent = past.filter(time.is_between(start, last) & ~again)
    names = list(LAYOUT.types)
    both = pl.concat([recent.select(names).collect(), fresh.select(names)])
    newest = fresh.group_by(TERMINAL).agg(time.max().alias("newest"))
    due = time <= pl.col("newest") - timedelta(days=LABEL_DELAY_DAYS)
    unknown = both.join(newest, on=TERMINAL).filter(due & pl.col("is_fraud").is_null())
    rule = f"must be known {LABEL_DELAY_DAYS} days before a payment at its terminal: give labels, "
    _refuse("is_fraud", f"{rule}or fewer days a file", unknown.select(names))
    return both.sort(LAYOUT.order), ids


def _refuse(column: str, rule: str, broken: pl.DataFrame) -> None:
    if len(broken):
        found = Violation(column, rule, len(broken), broken.head(SHOWN).to_dicts())
        raise refuse("The payments and their history", [found])


def history(folder: Path) -> Columns:
    """Give the payments that the features of new ones depend on; an unknown label is none."""
    table, time = pl.scan_parquet(folder / ROWS), pl.col("timestamp")
    days = max(LOOKBACK_DAYS.values())
    rows = table.filter(time > time.max() - timedelta(days=days)).collect()
    return {
        "timestamp": rows["timestamp"].to_physical().to_numpy(),
        **{name: rows[name].to_numpy() for name in (CARD, TERMINAL, "amount")},
        "is_fraud": rows["is_fraud"].fill_null(value=False).cast(pl.Float64).to_numpy(),
        EVENT: rows["transaction_id"].to_numpy(),
    }


def examples(folder: Path, rows: Columns, count: int) -> list[FraudRequest]:
    """Build requests for some rows, frauds among them, with the history of card and terminal.

    Rows whose history is longer than a request may carry are passed over.
    """
    table = pl.scan_parquet(folder / ROWS)
    frauds, genuine = np.flatnonzero(rows["is_fraud"]), np.flatnonzero(~rows["is_fraud"])
    half = min(count // 2, len(frauds))
    chosen = [
        request
        for places, wanted in ((frauds, half), (genuine, count - half))
        for request in _requests(table, list(rows["transaction_id"][places[: 4 * wanted]]), wanted)
    ]
    return sorted(chosen, key=lambda r: (r.transaction.timestamp, r.transaction.transaction_id))


def _requests(table: pl.LazyFrame, ids: list[str], wanted: int) -> Iterator[FraudRequest]:
    """Yield up to the wanted number of requests for payments of these ids."""
    found = table.filter(pl.col("transaction_id").is_in(ids)).collect().iter_rows(named=True)
    parts = ((payment, _history(table, payment)) for payment in found)
    fitting = ((payment, history) for payment, history in parts if len(history) <= MAX_HISTORY)
    for payment, history in islice(fitting, wanted):
        mine = {name: payment[name] for name in LAYOUT.types if name != "is_fraud"}
        yield FraudRequest.model_validate({"transaction": mine, "history": history})


def _history(table: pl.LazyFrame, payment: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the payments of card and terminal before this one, labels where they are known."""
    time, label = pl.col("timestamp"), pl.col("is_fraud")
    now = pl.lit(payment["timestamp"]).cast(pl.Datetime("ms"))
    recent = [
        (pl.col(entity) == payment[entity]) & (time >= now - pl.duration(days=days))
        for entity, days in LOOKBACK_DAYS.items()
    ]
    before = (time < now) | ((time == now) & (pl.col("transaction_id") < payment["transaction_id"]))
    known = time <= now - pl.duration(days=LABEL_DELAY_DAYS)
    past = table.filter(pl.any_horizontal(recent) & before).with_columns(
        pl.when(known).then(label).alias("is_fraud")
    )
    return past.select(*LAYOUT.types).collect().to_dicts()
