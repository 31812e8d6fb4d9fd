"""Load baskets, compute households, split them, and read files of baskets.

A data set is two files:
rows.parquet       validated baskets, sorted by time
features.parquet   one row for a household at the midnight after the newest basket, with its
                   features; households with too few baskets in the half year before have none
"""

from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

import numpy as np
import polars as pl
from pydantic import Field

from ..contract import Columns, Frozen, take
from ..data.completejourney import Data, Script, gather
from ..data.sources import copy
from ..errors import SHOWN, UserError, Violation, refuse
from ..fields import TIMESTAMP, columns_of
from ..params import Params
from ..training import Fold, Progress, Splits
from .features import DAYS, HOUSEHOLD, MIN_BASKETS, SPENT, TRAITS, feature_columns
from .schemas import MAX_BASKETS, Basket, BoughtBasket, SegmentsRequest
from .validation import LAYOUT, check

ROWS, FEATURES = "rows.parquet", "features.parquet"
BASKETS = Script(
    folder=__package__,
    file="baskets.sql",
    tables=("transactions", "products", "demographics"),
    variables={},
    result="baskets",
    order="timestamp, basket_id",
)
MIN_HOUSEHOLDS = 30
"""A part of the test with fewer says nothing about clusters."""


class Split(Frozen):
    """How many households test, and how many validate."""

    test_share: float = Field(default=0.3, gt=0, lt=0.7, description="of households, for the test")
    test_parts: int = Field(default=3, ge=1, description="of the test, for the spread of scores")
    folds: int = Field(default=3, ge=2, description="of the other households, for the search")


class SegmentsParams(Params):
    """All parameters."""

    data: Data = Data()
    split: Split = Split()


def load_data(params: SegmentsParams, folder: Path, progress: Progress) -> None:
    """Write baskets and features of households into a folder; refuse rows that break a rule."""
    rows = folder / ROWS
    gather(params.data, BASKETS, LAYOUT, rows)
    progress(0.5)
    check(rows, params.data)
    progress(0.7)
    baskets = pl.read_parquet(rows)
    households(baskets, midnight_after(baskets)).write_parquet(folder / FEATURES)


def midnight_after(baskets: pl.DataFrame) -> datetime:
    """Return the midnight (UTC) after the newest basket: the moment to look at households."""
    day: datetime = baskets.select(pl.col(TIMESTAMP).max().dt.truncate("1d")).item()
    return day + timedelta(days=1)


def households(baskets: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    """Return one row for each household that bought lately, in order of name.

    Columns: household_id, the traits (float64, NaN where unknown) and the features (float64).
    """
    since = as_of - timedelta(days=DAYS)
    recent = baskets.filter(pl.col(TIMESTAMP).is_between(since, as_of, closed="right"))
    unknown = [pl.lit(float("nan")).alias(n) for n in TRAITS if n not in baskets.columns]
    known = recent.with_columns(unknown).filter(pl.len().over(HOUSEHOLD) >= MIN_BASKETS)
    traits = pl.col(TRAITS).first().fill_null(float("nan"))
    found = known.group_by(HOUSEHOLD).agg(traits).sort(HOUSEHOLD)
    amounts = [pl.lit(0.0).alias(name) for name in SPENT]
    now = pl.lit(as_of).cast(pl.Datetime("ms")).alias(TIMESTAMP)
    moments = found.select(HOUSEHOLD, now, *amounts, pl.lit(1.0).alias("is_now"))
    bought = known.with_columns(pl.lit(0.0).alias("is_now")).select(moments.columns)
    both = pl.concat([bought, moments]).sort(TIMESTAMP, "is_now", HOUSEHOLD)
    rows = {
        TIMESTAMP: both[TIMESTAMP].to_physical().to_numpy(),
        HOUSEHOLD: both[HOUSEHOLD].rank("dense").cast(pl.Int64).to_numpy(),
        **{name: both[name].to_numpy() for name in ("is_now", *SPENT)},
    }
    computed = feature_columns(rows, np.flatnonzero(rows["is_now"]))
    return found.with_columns(pl.Series(name, values) for name, values in computed.items())


def columns(table: pl.DataFrame) -> Columns:
    """Return households with features as columns."""
    return {column.name: column.to_numpy() for column in table}


def split(params: SegmentsParams, folder: Path) -> Splits:
    """Split by household: the test is a share of them, the folds are parts of the others.

    A household's part follows from a hash of its name, so it stays when others come and go.

    Raises:
        UserError: the data has too few households.
    """
    rows, sizes = columns(pl.read_parquet(folder / FEATURES)), params.split
    hashed = np.array([crc32(str(name).encode()) / 2**32 for name in rows[HOUSEHOLD]])
    test = hashed < sizes.test_share
    rest = (hashed - sizes.test_share) / (1 - sizes.test_share)
    part = np.where(test, hashed / sizes.test_share * sizes.test_parts, rest * sizes.folds)
    rows = {**rows, "part": np.floor(part).astype(np.int64)}
    tests = [test & (rows["part"] == number) for number in range(sizes.test_parts)]
    valids = [~test & (rows["part"] == number) for number in range(sizes.folds)]
    if (fewest := min(int(np.sum(mask)) for mask in (*tests, *valids))) < MIN_HOUSEHOLDS:
        raise UserError(
            f"The data has {len(test)} households, and a part of these splits has {fewest} of "
            f"the {MIN_HOUSEHOLDS} that it needs: lower split.test_parts or split.folds, or "
            "use more data."
        )
    folds = tuple(Fold(take(rows, ~test & ~valid), take(rows, valid)) for valid in valids)
    return Splits(train=take(rows, ~test), folds=folds, test=take(rows, test))


def read_batch(params: SegmentsParams, source: Path, folder: Path) -> Columns:
    """Read baskets and compute their households; earlier baskets come from the data set.

    All are looked at in one moment: the midnight after the newest basket of file and data set.

    Raises:
        UserError: the file cannot be read, a column is missing, rows break a rule, or a household
            has too few baskets in the half year before that moment.
    """
    with TemporaryDirectory(dir=folder.parent, prefix=".batch-") as scratch:
        canonical = Path(scratch) / ROWS
        own = params.data.model_copy(update={"source": str(source.absolute())})
        copy(own, LAYOUT, canonical)
        check(canonical, own)
        asked = pl.read_parquet(canonical)
    past = pl.read_parquet(folder / ROWS)
    as_of = max(midnight_after(past), midnight_after(asked))
    known = past.join(asked, on=HOUSEHOLD, how="semi").join(asked, on="basket_id", how="anti")
    found = households(pl.concat([known, asked], how="diagonal").sort(LAYOUT.order), as_of)
    absent = asked.join(found, on=HOUSEHOLD, how="anti")
    if len(absent):
        rule = f"must have {MIN_BASKETS} baskets in the {DAYS} days before {as_of:%Y-%m-%d}"
        rows = absent.head(SHOWN).select("basket_id", HOUSEHOLD, TIMESTAMP).to_dicts()
        short = Violation(HOUSEHOLD, rule, len(absent), rows)
        raise refuse("The baskets", [short], own.columns)
    return columns(found)


def recent_events(folder: Path) -> Columns:
    """Return the baskets that the features of households read, as events."""
    time = pl.col(TIMESTAMP)
    rows = pl.scan_parquet(folder / ROWS).filter(time > time.max() - timedelta(days=DAYS))
    table = rows.select(list(columns_of(BoughtBasket))).with_columns(time.to_physical()).collect()
    return columns(table)


def examples(folder: Path, rows: Columns, count: int) -> list[SegmentsRequest]:
    """Build requests with baskets for the first test rows; ids are replaced by pseudonyms."""
    baskets = pl.read_parquet(folder / ROWS)
    as_of = midnight_after(baskets)
    recent = baskets.filter(pl.col(TIMESTAMP) > as_of - timedelta(days=DAYS))
    found = recent.select(HOUSEHOLD, *Basket.model_fields).partition_by(HOUSEHOLD, as_dict=True)
    small = [found[name,] for name in rows[HOUSEHOLD] if len(found[name,]) <= MAX_BASKETS]
    pseudonym = pl.format("basket-{}", pl.int_range(1, pl.len() + 1))
    requests = []
    for number, mine in enumerate(small[:count], 1):
        renamed = mine.drop(HOUSEHOLD).with_columns(basket_id=pseudonym).to_dicts()
        values = {HOUSEHOLD: f"household-{number}", "as_of": as_of, "baskets": renamed}
        requests.append(SegmentsRequest.model_validate(values))
    return requests
