"""Load baskets, compute households, and read files of baskets.

A data set is two files:
rows.parquet       validated baskets, sorted by time
features.parquet   one row for a household at the midnight after the newest basket, with its
                   features; households with too few baskets in the half year before have none
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from ..columns import TIMESTAMP, Columns, columns_of
from ..contract.training import Progress
from ..data.completejourney import Script, gather
from ..data.import_files import import_files
from ..data.import_rows import import_rows
from ..data.violations import SHOWN, Violation, violations_error
from .features import DAYS, HOUSEHOLD, MIN_BASKETS, SPENT, TRAITS, feature_columns
from .params import SegmentsParams
from .schemas import MAX_BASKETS, Basket, BoughtBasket, SegmentsRequest
from .validation import LAYOUT, check_baskets

ROWS = "rows.parquet"
FEATURES = "features.parquet"


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


def load_data(params: SegmentsParams, folder: Path, progress: Progress) -> None:
    """Write baskets into a folder; refuse rows that break a rule."""
    rows = folder / ROWS
    gather(params.data, BASKETS, LAYOUT, rows)
    progress(0.5)
    check_baskets(rows, params.data)
    progress(0.7)


def compute_features(_: SegmentsParams, folder: Path, *__: object) -> None:
    """Write the households of the baskets in a folder with their features."""
    baskets = pl.read_parquet(folder / ROWS)
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
    table = known.group_by(HOUSEHOLD).agg(traits).sort(HOUSEHOLD)
    amounts = [pl.lit(0.0).alias(name) for name in SPENT]
    now = pl.lit(as_of).cast(pl.Datetime("ms")).alias(TIMESTAMP)
    moments = table.select(HOUSEHOLD, now, *amounts, pl.lit(1.0).alias("is_now"))
    bought = known.with_columns(pl.lit(0.0).alias("is_now")).select(moments.columns)
    both = pl.concat([bought, moments]).sort(TIMESTAMP, "is_now", HOUSEHOLD)
    rows = {
        TIMESTAMP: both[TIMESTAMP].to_physical().to_numpy(),
        HOUSEHOLD: both[HOUSEHOLD].rank("dense").cast(pl.Int64).to_numpy(),
        **{name: both[name].to_numpy() for name in ("is_now", *SPENT)},
    }
    computed = feature_columns(rows, np.flatnonzero(rows["is_now"]))
    return table.with_columns(pl.Series(name, values) for name, values in computed.items())


def columns(table: pl.DataFrame) -> Columns:
    """Return households with features as columns."""
    return {column.name: column.to_numpy() for column in table}


def batch_history(
    params: SegmentsParams, files: Sequence[Path], folder: Path, target: Path
) -> None:
    """Write the baskets of the data set and of files; raise UserError if they break a rule."""
    import_files(params.data, LAYOUT, files, target / ROWS)
    check_baskets(target / ROWS, params.data)
    past, batch = (pl.read_parquet(where / ROWS) for where in (folder, target))
    both = pl.concat([past.join(batch, "basket_id", "anti"), batch], how="diagonal")
    both.sort(LAYOUT.order).write_parquet(target / ROWS)


def read_batch(params: SegmentsParams, source: Path, folder: Path) -> Columns:
    """Read baskets and compute their households; earlier baskets come from the data set.

    All are looked at in one moment: the midnight after the newest basket of file and data set.

    Raises:
        UserError: the file cannot be read, a column is missing, rows break a rule, or a household
            has too few baskets in the half year before that moment.
    """
    with TemporaryDirectory(dir=folder.parent, prefix=".batch-") as scratch:
        canonical = Path(scratch) / ROWS
        data = params.data.with_source(source)
        import_rows(data, LAYOUT, canonical)
        check_baskets(canonical, data)
        asked = pl.read_parquet(canonical)
    past = pl.read_parquet(folder / ROWS)
    as_of = max(midnight_after(past), midnight_after(asked))
    known = past.join(asked, on=HOUSEHOLD, how="semi").join(asked, on="basket_id", how="anti")
    described = households(pl.concat([known, asked], how="diagonal").sort(LAYOUT.order), as_of)
    absent = asked.join(described, on=HOUSEHOLD, how="anti")
    if len(absent):
        rule = f"must have {MIN_BASKETS} baskets in the {DAYS} days before {as_of:%Y-%m-%d}"
        rows = absent.head(SHOWN).select("basket_id", HOUSEHOLD, TIMESTAMP).to_dicts()
        short = Violation(HOUSEHOLD, rule, len(absent), rows)
        raise violations_error("The baskets", [short], data.columns)
    return columns(described)


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
    by_household = recent.select(HOUSEHOLD, *Basket.model_fields).partition_by(
        HOUSEHOLD, as_dict=True
    )
    small = [
        by_household[name,] for name in rows[HOUSEHOLD] if len(by_household[name,]) <= MAX_BASKETS
    ]
    pseudonym = pl.format("basket-{}", pl.int_range(1, pl.len() + 1))
    requests = []
    for number, group in enumerate(small[:count], 1):
        renamed = group.drop(HOUSEHOLD).with_columns(basket_id=pseudonym).to_dicts()
        values = {HOUSEHOLD: f"household-{number}", "as_of": as_of, "baskets": renamed}
        requests.append(SegmentsRequest.model_validate(values))
    return requests
