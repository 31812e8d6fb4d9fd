"""Load payments, and read them for batches, examples and the event store.

rows.parquet       payments in our columns, sorted by time
features.parquet   the same with their features
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from ..columns import Columns, columns_of
from ..contract.training import Progress, Run
from ..data.import_files import import_files
from ..data.import_rows import import_rows
from ..data.violations import SHOWN, Violation, violations_error
from .feature_table import build_feature_table
from .features import CARD, ENTITIES, LABEL_DELAY_DAYS, LOOKBACK, TERMINAL
from .params import SIMULATOR, Data, FraudParams
from .schemas import MAX_HISTORY, FraudRequest, PastPayment, Payment
from .simulator import simulate
from .validation import LAYOUT, check_payments

ROWS_FILE = "rows.parquet"
FEATURES_FILE = "features.parquet"
HISTORY_FILE = "history.parquet"
"""What a batch of several files looks back on; see `batch_history`."""


DELAY = timedelta(days=LABEL_DELAY_DAYS)


time = pl.col("timestamp")
label = pl.col("is_fraud")


day = time.dt.epoch("d")


def load_data(params: FraudParams, folder: Path, progress: Progress) -> None:
    """Write payments into a new folder; raise UserError for wrong rows."""
    rows = folder / ROWS_FILE
    data = params.data
    if data.source == SIMULATOR:
        simulate(data.customers, data.terminals, data.days, data.seed).write_parquet(rows)
    else:
        import_rows(data, LAYOUT, rows)
    progress(0.4)
    check_payments(rows, data)
    progress(0.5)


def compute_features(_: FraudParams, folder: Path, progress: Progress, run: Run) -> None:
    """Write the features of the payments in a folder."""
    table = pl.scan_parquet(folder / ROWS_FILE)
    target = folder / FEATURES_FILE
    build_feature_table(table, target, lambda done: progress(0.5 + done / 2), run=run)


def columns(params: FraudParams, table: pl.DataFrame) -> Columns:
    """Turn a table into columns; add the card's code, the day since 1970 and a review's cost."""
    table = table.with_columns(
        day.alias("day"),
        pl.col(CARD).rank("dense").alias("customer"),
        time.dt.epoch("ms"),
        label.fill_null(value=False),  # unknown in a batch only, which has no metrics
        pl.lit(params.decide.review_cost).alias("review_cost"),
    )
    return {column.name: column.to_numpy() for column in table}


BATCH_LAYOUT = replace(LAYOUT, optional=("is_fraud",))


def batch_history(params: FraudParams, files: Sequence[Path], folder: Path, target: Path) -> None:
    """Write the payments of files, and those of the data set that they look back on.

    Raises:
        UserError: as `read_batch`, if all were one file.
    """
    rows = target / ROWS_FILE
    import_files(params.data, BATCH_LAYOUT, files, rows)
    check_payments(rows, params.data, labelled=False)
    both = _with_history(pl.read_parquet(rows), folder, params.data)
    both.write_parquet(target / HISTORY_FILE)


def read_batch(params: FraudParams, source: Path, folder: Path) -> Columns:
    """Read payments to score, with features from the folder's rows too; or raise UserError."""
    data = params.data
    with TemporaryDirectory(dir=folder.parent, prefix=".batch-") as scratch:
        rows = Path(scratch) / ROWS_FILE
        target = Path(scratch) / FEATURES_FILE
        import_rows(data.with_source(source), BATCH_LAYOUT, rows)
        check_payments(rows, data, labelled=False)
        batch = pl.read_parquet(rows)
        both = _with_history(batch, folder, data)
        build_feature_table(both.lazy(), target)
        asked = pl.col("transaction_id").is_in(batch["transaction_id"].implode())
        return columns(params, pl.scan_parquet(target).filter(asked).collect())


def _with_history(batch: pl.DataFrame, folder: Path, data: Data) -> pl.DataFrame:
    """Add the payments that the batch looks back on; all in order of time.

    The label of a payment is that of the file, or else the one of the same payment in the data set.
    """
    again = pl.col("transaction_id").is_in(batch["transaction_id"].implode())
    raw = list(Payment.model_fields)
    first, last = batch.select(time.min().alias("first"), time.max().alias("last")).row(0)
    if (prepared := folder / HISTORY_FILE).exists():
        past = pl.scan_parquet(prepared).filter(time.is_between(first - LOOKBACK, last))
    else:
        past = _settle(pl.scan_parquet(folder / ROWS_FILE), last, data.max_blank)
    known = past.filter(again).collect()
    other = known.join(batch, raw, "anti", nulls_equal=True)
    _refuse("transaction_id", "must not be that of another payment", other, data)
    stated = label if "is_fraud" in batch.columns else pl.lit(None, pl.Boolean)
    labels = known.select("transaction_id", known="is_fraud")
    batch = batch.join(labels, "transaction_id", "left").with_columns(
        is_fraud=pl.coalesce(stated, "known")
    )
    recent = past.filter(time.is_between(first - LOOKBACK, last) & ~again).collect()
    both = pl.concat(rows.select(*LAYOUT.types) for rows in (recent, batch))
    newest = batch.group_by(TERMINAL).agg(newest=time.max())
    due = time <= pl.col("newest") - DELAY
    rule = f"must be known {LABEL_DELAY_DAYS} days before a payment at its terminal: add labels, or"
    unknown = both.join(newest, on=TERMINAL).filter(due & label.is_null())
    _refuse("is_fraud", f"{rule} predict fewer days at once", unknown, data)
    return both.sort(LAYOUT.order)


def _settle(past: pl.LazyFrame, now: datetime, max_blank: float) -> pl.LazyFrame:
    """Count payments whose label did not arrive in time as genuine, as the features do.

    The newest ones of the data set, whose labels could arrive since, only if few are missing.
    """
    made = past.select(time.max()).collect().item()
    since = past.filter(time > made - DELAY, time <= now - DELAY)
    blank = since.select(label.is_null().mean()).collect().item() or 0
    due = time <= (now if blank <= max_blank else made) - DELAY
    return past.with_columns(label.fill_null(pl.when(due).then(pl.lit(value=False))))


def _refuse(column: str, rule: str, broken: pl.DataFrame, data: Data) -> None:
    if len(broken):
        shown = broken.select(*LAYOUT.types).head(SHOWN).to_dicts()
        violation = Violation(column, rule, len(broken), shown)
        raise violations_error("The payments and their history", [violation], data.columns)


def recent_events(folder: Path) -> Columns:
    """Read the payments that features of new ones look back on, in the columns of an event."""
    table = pl.scan_parquet(folder / ROWS_FILE).filter(time > time.max() - LOOKBACK)
    rows = table.select(*columns_of(PastPayment)).with_columns(
        time.dt.epoch("ms"), pl.col(pl.Boolean).cast(pl.Float64)
    )
    return {column.name: column.to_numpy() for column in rows.collect()}


def examples(folder: Path, rows: Columns, count: int) -> list[FraudRequest]:
    """Build requests for some rows, half of them frauds, with the history of card and terminal.

    Rows with a longer history than a request may carry are skipped.
    """
    table = pl.scan_parquet(folder / ROWS_FILE)
    is_fraud = rows["is_fraud"]
    half = min(count // 2, int(is_fraud.sum()))
    requests: list[FraudRequest] = []
    for chosen, wanted in ((is_fraud, half), (~is_fraud, count - half)):
        ids = rows["transaction_id"][chosen][: 4 * wanted].tolist()
        requests += islice(_requests(table, ids), wanted)
    return sorted(requests, key=lambda request: request.transaction.timestamp)


def _requests(table: pl.LazyFrame, ids: list[str]) -> Iterator[FraudRequest]:
    """Yield requests for payments, with labels that were known at the time and pseudonyms for ids.

    A label that never became known is that of a genuine payment, as in the features.
    Pseudonyms sort as the ids do, since payments at the same time are ordered by id.
    """
    pseudonyms = []
    for name in ("transaction_id", CARD, TERMINAL):
        number = pl.col(name).rank("dense").cast(pl.String).str.zfill(4)
        pseudonyms.append((name.removesuffix("_id") + "-" + number).alias(name))
    for payment in table.filter(pl.col("transaction_id").is_in(ids)).collect().to_dicts():
        now = pl.lit(payment["timestamp"], pl.Datetime("ms"))
        recent = [(pl.col(e.name) == payment[e.name]) & (time >= now - e.ttl) for e in ENTITIES]
        not_later = pl.col("transaction_id") <= payment["transaction_id"]
        until = (time < now) | ((time == now) & not_later)
        known = pl.when(time <= now - DELAY).then(label.fill_null(value=False)).alias("is_fraud")
        payments = table.filter(pl.any_horizontal(recent) & until).with_columns(*pseudonyms, known)
        *history, transaction = payments.select(*PastPayment.model_fields).collect().to_dicts()
        del transaction["is_fraud"]
        if len(history) <= MAX_HISTORY:
            yield FraudRequest.model_validate({"transaction": transaction, "history": history})
