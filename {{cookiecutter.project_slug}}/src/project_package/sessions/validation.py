"""The rules for purchases, which are those of the fields in `schemas.py`."""

from pathlib import Path

import pandera.polars as pa

from ..columns import TIMESTAMP
from ..data.field_rules import rules_of, types_of
from ..data.find_violations import find_violations
from ..data.import_rows import Layout, SourceParams
from ..data.violations import violations_error
from .features import HOUSEHOLD, ITEM
from .schemas import Purchase

LAYOUT = Layout(types=types_of(Purchase), order=(TIMESTAMP, HOUSEHOLD, ITEM))


def check_purchases(path: Path, data: SourceParams) -> None:
    """Refuse the purchases of a Parquet file in `LAYOUT` that break a rule.

    Raises:
        UserError: broken rules, each with its column, how many rows break it and three of them.
    """
    broken = find_violations(path, pa.DataFrameSchema(rules_of(Purchase)))
    if broken:
        raise violations_error("The purchases", broken, data.columns)
