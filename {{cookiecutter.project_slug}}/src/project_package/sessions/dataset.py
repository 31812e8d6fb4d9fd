"""Load purchases, and read files of purchases.

A data set is two files:
rows.parquet    validated purchases (household_id, timestamp, item), sorted by time
baskets.arrow   the same as baskets: see `baskets`
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

from ..columns import TIMESTAMP, Columns
from ..contract.training import Progress
from ..data.completejourney import Script, gather
from ..data.import_files import import_files
from ..data.import_rows import import_rows
from .baskets import FILE, Bought, read_baskets, write_baskets
from .features import (
    DAYS,
    HOUSEHOLD,
    MILLISECONDS_A_DAY,
    days_before,
    objects,
    recent,
    window,
)
from .lazy_sequence import LazySequence
from .params import SessionsParams
from .schemas import MAX_ITEMS, SessionsRequest
from .task import BASKETS_READ
from .validation import LAYOUT, check_purchases

ROWS = "rows.parquet"


WEEK = 7 * MILLISECONDS_A_DAY


MIN_ROWS = 30
"""Baskets of a part, at least: with fewer, its score is chance."""


def load_data(params: SessionsParams, folder: Path, progress: Progress) -> None:
    """Write the purchases into a folder, each once; refuse rows that break a rule."""
    rows = folder / ROWS
    script = Script(
        folder=__package__,
        file="purchases.sql",
        tables=("transactions", "products"),
        variables={"households": params.data.households},
        result="purchases",
        order=", ".join(LAYOUT.order),
    )
    gather(params.data, script, LAYOUT, rows)
    progress(0.5)
    check_purchases(rows, params.data)
    once = rows.with_suffix(".once")
    repeated = pl.all_horizontal(pl.all().eq_missing(pl.all().shift()))  # equal rows are neighbours
    pl.scan_parquet(rows).filter(~repeated).sink_parquet(once)
    once.replace(rows)


def group_baskets(params: SessionsParams, folder: Path, *_: object) -> None:
    """Add the file of baskets to a folder with purchases."""
    write_baskets(folder / ROWS, folder / FILE, params.data.duckdb_mib)


def to_rows(targets: Iterable[tuple[Bought, int]]) -> Columns:
    """Return a row for each basket to predict, given by its household and index.

    Columns: timestamp, household_id, baskets and days before it (see `features`), bought: its
    items, and again: those of them that are in the earlier baskets.
    """
    names = (TIMESTAMP, HOUSEHOLD, "baskets", "days", "bought", "again")
    rows: dict[str, list[Any]] = {name: [] for name in names}
    for who, index in targets:
        now = int(who.times[index])
        start, end = window(who.times[:index], now)
        baskets = who.baskets[start:end]
        days = LazySequence(partial(days_before, now, who.times), start, end)
        bought = who.baskets[index]
        known = {*chain.from_iterable(baskets)}
        again = tuple(item for item in bought if item in known)
        values = (now, who.household, baskets, days, bought, again)
        for column, value in zip(rows.values(), values, strict=True):
            column.append(value)
    return {
        name: np.array(values, np.int64) if name == TIMESTAMP else objects(values)
        for name, values in rows.items()
    }


def between(everyone: Sequence[Bought], start: int, end: int) -> Columns:
    """Return a row for each basket from `start` (not included) to `end` (included)."""
    return to_rows(
        (who, index)
        for who in everyone
        for index in np.flatnonzero((who.times > start) & (who.times <= end)).tolist()
    )


def before(everyone: Sequence[Bought], end: int) -> Columns:
    """Return rows to train on, whose baskets are all up to `end`, each the next one only once.

    The network predicts every basket that it reads of a row from those before it. So a household
    has one row for its newest basket, one for the first basket that is read for it, and so on.
    """

    def targets() -> Iterator[tuple[Bought, int]]:
        for who in everyone:
            index = int(np.searchsorted(who.times, end, side="right")) - 1
            while index >= 0:
                yield who, index
                first, last = window(who.times[:index], int(who.times[index]))
                index -= max(1, min(last - first, BASKETS_READ))

    return to_rows(targets())


def read_batch(params: SessionsParams, source: Path, folder: Path) -> Columns:
    """Read purchases, and return a row for each household in them.

    All are looked at in one moment: that of the newest purchase of file and data set. Earlier
    purchases come from the data set.

    Raises:
        UserError: the file cannot be read, a column is missing, or rows break a rule.
    """
    with TemporaryDirectory(dir=folder.parent, prefix=".batch-") as scratch:
        canonical = Path(scratch) / ROWS
        data = params.data.with_source(source)
        import_rows(data, LAYOUT, canonical)
        check_purchases(canonical, data)
        asked, stored = map(pl.scan_parquet, (canonical, folder / ROWS))
        past = stored.join(asked, on=HOUSEHOLD, how="semi")
        both = Path(scratch) / "both.parquet"
        pl.concat([past, asked]).unique().sink_parquet(both)
        write_baskets(both, Path(scratch) / FILE, data.duckdb_mib)
        everyone = [*read_baskets(Path(scratch) / FILE)]
        newest = stored.select(pl.col(TIMESTAMP).max().to_physical()).collect().item()
        now = max(newest, *(int(who.times[-1]) for who in everyone))
        read = [recent(who.times, who.baskets, now) for who in everyone]
    return {
        TIMESTAMP: np.full(len(everyone), now),
        HOUSEHOLD: objects(who.household for who in everyone),
        "baskets": objects(baskets for baskets, _ in read),
        "days": objects(days for _, days in read),
    }


def batch_history(
    params: SessionsParams, files: Sequence[Path], folder: Path, target: Path
) -> None:
    """Write the purchases of the data set and of files; raise UserError if they break a rule."""
    import_files(params.data, LAYOUT, files, target / ROWS)
    check_purchases(target / ROWS, params.data)
    both = pl.concat(pl.read_parquet(where / ROWS) for where in (folder, target))
    both.unique().sort(LAYOUT.order).write_parquet(target / ROWS)


def recent_events(folder: Path) -> Columns:
    """Return the purchases that features read, as events."""
    time = pl.col(TIMESTAMP)
    rows = pl.scan_parquet(folder / ROWS).filter(time > time.max() - timedelta(days=DAYS))
    return {c.name: c.to_numpy() for c in rows.with_columns(time.to_physical()).collect()}


def examples(_: Path, rows: Columns, count: int) -> list[SessionsRequest]:
    """Build requests with baskets from test rows, from short histories to the longest.

    Households have pseudonyms.
    """
    order = np.argsort([len(baskets) for baskets in rows["baskets"]], kind="stable")
    chosen = order[np.linspace(len(order) // 50, len(order) - 1, count).astype(int)]
    requests = []
    for number, index in enumerate(chosen.tolist(), 1):
        now = int(rows[TIMESTAMP][index])
        times = [moment(now - round(d * MILLISECONDS_A_DAY)) for d in rows["days"][index]]
        pairs = zip(times, rows["baskets"][index], strict=True)
        baskets = [{"timestamp": time, "items": items[:MAX_ITEMS]} for time, items in pairs]
        values = {HOUSEHOLD: f"household-{number}", "as_of": moment(now), "baskets": baskets}
        requests.append(SessionsRequest.model_validate(values))
    return requests


def moment(milliseconds: int) -> datetime:
    """Return a time in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
