"""The rules for purchases: a Pandera schema for each row."""

from datetime import UTC, datetime
from pathlib import Path

import pandera.polars as pa
import polars as pl

from ..columns import TIMESTAMP
from ..data.broken_rules import broken_by_rows
from ..data.copy_rows import Layout, SourceParams, types_of
from ..errors import violations_error
from ..fields import EARLIEST, GRACE, LONGEST_ID, PERIOD
from .features import HOUSEHOLD, ITEM
from .schemas import Purchase

LAYOUT = Layout(types=types_of(Purchase), order=(TIMESTAMP, HOUSEHOLD, ITEM))


def check(path: Path, data: SourceParams) -> None:
    """Refuse the purchases of a Parquet file in `LAYOUT` that break a rule.

    Raises:
        UserError: broken rules, each with its column, how many rows break it and three of them.
    """
    latest = (datetime.now(UTC) + GRACE).replace(tzinfo=None)
    period = pa.Check.in_range(EARLIEST.replace(tzinfo=None), latest, error=PERIOD)
    length = f"must have 1 to {LONGEST_ID} characters"
    identifier = pa.Check.str_length(1, LONGEST_ID, error=length)
    rules = {
        HOUSEHOLD: pa.Column(pl.String, identifier),
        TIMESTAMP: pa.Column(pl.Datetime("ms"), period),
        ITEM: pa.Column(pl.String, identifier),
    }
    if broken := broken_by_rows(path, pa.DataFrameSchema(rules)):
        raise violations_error("The purchases", broken, data.columns)
