"""Raw purchases in, checked baskets and households out; and how households are cut into parts.

rows.parquet       one row a basket, in our columns, sorted by time
features.parquet   one row a household at the midnight after the newest basket, with its features

A household with too few baskets in the half year before that moment has no row: it has left, or is
not known yet.
"""

from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any
from zlib import crc32

import numpy as np
import polars as pl
from pydantic import Field

from ..contract import Columns, Fold, Frozen, Params, Progress, Splits, take
from ..errors import SHOWN, UserError, Violation, refuse
from ..features.history import EVENT
from ..data.completejourney import Data, Script, gather
from ..data.sources import Source, copy
from .task import MAX_BASKETS, SegmentsRequest
from .features import DAYS, HOUSEHOLD, LEAST_BASKETS, SPENT, TRAITS, feature_columns
from .validation import LAYOUT, check

ROWS, FEATURES = "rows.parquet", "features.parquet"
BASKETS = Script(
    folder=str(__package__),
    file="baskets.sql",
    tables=("transactions", "products", "demographics"),
    variables=MappingProxyType({}),
    result="baskets",
    order="timestamp, basket_id",
)
FEWEST_HOUSEHOLDS = 30
"""In a part of the test: fewer say nothing about clusters."""


class Split(Frozen):
    """How many households judge, and how many choose."""

    test_share: float = Field(default=0.3, gt=0, lt=0.7, description="of households, to judge on")
    test_parts: int = Field(default=3, ge=1, description="of the test, for the spread of scores")
    folds: int = Field(default=3, ge=2, description="of the other households, to choose settings")


class SegmentsParams(Params):
    """All parameters."""

    data: Data = Data()
    split: Split = Split()


def collect(params: SegmentsParams, folder: Path, progress: Progress) -> None:
    """Write the checked baskets and the features of their households into a new folder.

    Raises:
        UserError: a source that cannot be read, or rows that break the schema.
    """
    rows, data = folder / ROWS, params.data
    gather(data, BASKETS, LAYOUT, rows)
    progress(0.5)
    check(rows, data.duckdb_mib)
    progress(0.7)
    baskets = pl.read_parquet(rows)
    households(baskets, midnight_after(baskets)).write_parquet(folder / FEATURES)


def midnight_after(baskets: pl.DataFrame) -> datetime:
    """Give the midnight (UTC) after the newest basket: the moment at which households are seen."""
    newest = baskets["timestamp"].max()
    assert isinstance(newest, datetime)  # noqa: S101 - the schema has checked it
    return newest.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def households(baskets: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Give one row a household that bought lately, in order of name: features and traits.

    Columns: household_id, the features (float64) and the traits (float64, NaN where not known).
    """
    since = as_of - timedelta(days=DAYS)
    lately = baskets.filter(pl.col("timestamp").is_between(since, as_of, closed="right"))
    unknown = [pl.lit(float("nan")).alias(n) for n in TRAITS if n not in baskets.columns]
    looked_at = (
        lately.with_columns(unknown)
        .group_by(HOUSEHOLD)
        .agg(pl.col(TRAITS).first().fill_null(float("nan")), pl.len().alias("count"))
        .filter(pl.col("count") >= LEAST_BASKETS)
        .drop("count")
        .sort(HOUSEHOLD)
    )
    nothing = [pl.lit(0.0).alias(name) for name in SPENT]
    now = pl.lit(as_of).cast(pl.Datetime("ms")).alias("timestamp")
    moments = looked_at.select(HOUSEHOLD, now, *nothing, pl.lit(1.0).alias("is_now"))
    baskets = lately.join(looked_at, on=HOUSEHOLD, how="semi")
    rows = baskets.with_columns(pl.lit(0.0).alias("is_now")).select(moments.columns)
    both = pl.concat([rows, moments]).sort("timestamp", "is_now", HOUSEHOLD)
    computed = feature_columns(
        {
            "timestamp": both["timestamp"].to_physical().to_numpy(),
            HOUSEHOLD: both[HOUSEHOLD].rank("dense").cast(pl.Int64).to_numpy(),
            **{name: both[name].to_numpy() for name in ("is_now", *SPENT)},
        }
    )
    moments_of = np.flatnonzero(both["is_now"].to_numpy())
    found = [pl.Series(name, values[moments_of]) for name, values in computed.items()]
    return looked_at.with_columns(found)


def split(params: SegmentsParams, folder: Path) -> Splits:
    """Cut by household: the test is a share of them, the folds are parts of the others.

    A household's part follows from its name, so it stays when others come and go.

    Raises:
        UserError: the data has too few households.
    """
    rows, cut = columns(pl.read_parquet(folder / FEATURES)), params.split
    place = np.array([crc32(str(name).encode()) / 2**32 for name in rows[HOUSEHOLD]])
    test = place < cut.test_share
    part = np.floor(place / cut.test_share * cut.test_parts).astype(np.int64)
    rest = (place - cut.test_share) / (1 - cut.test_share)
    fold = np.floor(rest * cut.folds).astype(np.int64)
    rows = {**rows, "part": np.where(test, part, fold)}
    parts = [np.sum(test & (part == p)) for p in range(cut.test_parts)]
    parts += [np.sum(~test & (fold == f)) for f in range(cut.folds)]
    if min(parts) < FEWEST_HOUSEHOLDS:
        raise UserError(
            f"The data has {len(place)} households, and a part of these splits has {min(parts)} of "
            f"the {FEWEST_HOUSEHOLDS} that it needs: lower split.test_parts or split.folds, or "
            "use more data."
        )
    folds = tuple(
        Fold(take(rows, ~test & (fold != f)), take(rows, ~test & (fold == f)))
        for f in range(cut.folds)
    )
    return Splits(train=take(rows, ~test), folds=folds, test=take(rows, test))


def columns(table: pl.DataFrame) -> Columns:
    """Turn households with features into columns."""
    return {column.name: column.to_numpy() for column in table}


def batch(params: SegmentsParams, source: Path, folder: Path) -> Columns:
    """Read baskets and give their households; the folder's baskets are the earlier ones.

    All are looked at in one moment: the midnight after the newest basket of file and folder.

    Raises:
        UserError: a file that cannot be read, columns that are missing, rows that break a rule, or
            a household with too few baskets in the half year before that moment.
    """
    limit = params.data.duckdb_mib
    with TemporaryDirectory(dir=folder.parent, prefix=".batch-") as scratch:
        fresh = Path(scratch) / ROWS
        copy(Source(str(source), params.data.columns), LAYOUT, fresh, limit)
        check(fresh, limit)
        asked = pl.read_parquet(fresh)
    past = pl.scan_parquet(folder / ROWS)
    newest = past.select(pl.col("timestamp").max()).collect()
    as_of = max(midnight_after(newest), midnight_after(asked))
    known = past.filter(pl.col(HOUSEHOLD).is_in(asked[HOUSEHOLD].unique().implode())).collect()
    known = known.join(asked, on="basket_id", how="anti")
    found = households(pl.concat([known, asked], how="diagonal").sort(LAYOUT.order), as_of)
    _refuse_absent(asked.join(found, on=HOUSEHOLD, how="anti"), as_of)
    return columns(found)


def _refuse_absent(baskets: pl.DataFrame, as_of: datetime) -> None:
    """Refuse households that say too little; `baskets` are theirs."""
    if len(baskets):
        rule = f"must have {LEAST_BASKETS} baskets in the {DAYS} days before {as_of:%Y-%m-%d}"
        examples = baskets.head(SHOWN).select("basket_id", HOUSEHOLD, "timestamp").to_dicts()
        raise refuse("The baskets", [Violation(HOUSEHOLD, rule, len(baskets), examples)])


def history(folder: Path) -> Columns:
    """Give the baskets that households are looked at by."""
    table, time = pl.scan_parquet(folder / ROWS), pl.col("timestamp")
    rows = table.filter(time > time.max() - timedelta(days=DAYS)).collect()
    return {
        "timestamp": rows["timestamp"].to_physical().to_numpy(),
        **{name: rows[name].to_numpy() for name in (HOUSEHOLD, *SPENT)},
        "is_now": np.zeros(len(rows)),
        EVENT: rows["basket_id"].to_numpy(),
    }


def examples(folder: Path, rows: Columns, count: int) -> list[SegmentsRequest]:
    """Build requests for the first of the rows, each with the household's baskets."""
    baskets = pl.scan_parquet(folder / ROWS)
    as_of = midnight_after(baskets.select(pl.col("timestamp").max()).collect())
    names = rows[HOUSEHOLD].tolist()
    mine = baskets.filter(
        pl.col(HOUSEHOLD).is_in(names) & (pl.col("timestamp") > as_of - timedelta(days=DAYS))
    ).collect()
    found = mine.partition_by(HOUSEHOLD, as_dict=True)
    chosen = [name for name in names if len(found[name,]) <= MAX_BASKETS][:count]
    return [_request(name, as_of, found[name,]) for name in chosen]


def _request(household: str, as_of: datetime, baskets: pl.DataFrame) -> SegmentsRequest:
    """Put a household's baskets into a request."""
    carried: list[dict[str, Any]] = baskets.select("basket_id", "timestamp", *SPENT).to_dicts()
    return SegmentsRequest.model_validate(
        {"household_id": household, "as_of": as_of, "baskets": carried}
    )
