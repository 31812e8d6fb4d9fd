"""Load the table, validate it by its schema, and read files to predict.

A data set is two files:
rows.parquet   the validated rows, without the columns that are ignored
schema.json    the schema that they follow
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel

from ..columns import EPOCH, EXPLAIN, Columns, length
from ..contract.training import Progress
from ..data.completejourney import PURCHASES, Script, build, package_data
from ..data.find_violations import find_violations
from ..data.import_rows import Layout, import_rows
from ..data.table_rules import layout, rules, used_columns
from ..data.table_schema import SCHEMA, Schema
from ..data.violations import violations_error
from ..errors import UserError
from ..explain import reason_columns
from .date_parts import DAY
from .earlier_rows import values_before
from .lags import before_columns
from .params import TabularData, TabularParams
from .problem import OTHER, Problem
from .schemas import request_type

log = logging.getLogger(__name__)
ROWS = "rows.parquet"
STORED = "schema.json"


HOUSEHOLDS = Script(
    folder=__package__,
    file="households.sql",
    tables=("transactions", "demographics", "coupon_redemptions"),
    variables={},
    result="households",
    order="month, household_id",
)


def load_data(schema: Schema, params: TabularParams, folder: Path, progress: Progress) -> None:
    """Write the rows and their schema into a folder; refuse rows that break a rule."""
    rows = folder / ROWS
    copy_source(params.data, layout(schema), rows)
    progress(0.6)
    if broken := find_violations(rows, rules(used_columns(schema))):
        raise violations_error(f"The rows break {SCHEMA} and", broken, params.data.columns)
    target = params.data.target
    if blank := pl.read_parquet(rows, columns=[target])[target].null_count():
        log.warning("Rows without %s, which are left out: %s.", target, f"{blank:,}")
    (folder / STORED).write_text(schema.model_dump_json(indent=2), encoding="utf-8")


def copy_source(data: TabularData, table: Layout | None, target: Path) -> None:
    """Copy the rows of the source, as `import_rows` does; build the published table first."""
    if data.source != PURCHASES:
        import_rows(data, table, target)
        return
    with TemporaryDirectory(dir=target.parent, prefix=".households-") as folder:
        built = Path(folder) / "households.parquet"
        build(HOUSEHOLDS, package_data(), built, data.duckdb_mib)
        import_rows(data.with_source(built), table, target)


def stored_rows(problem: Problem, folder: Path) -> pl.DataFrame:
    """Return the rows of a data set; raise UserError if they follow another schema."""
    if (folder / STORED).read_text(encoding="utf-8") != problem.table.model_dump_json(indent=2):
        raise UserError(f"{SCHEMA} has changed since the data was read: run `ml data` again.")
    return pl.read_parquet(folder / ROWS)


def read_columns(problem: Problem, table: pl.DataFrame, known: pl.DataFrame, gap: float) -> Columns:
    """Return features as the model takes them, and the id, group and time columns.

    With the target, if the table has it: float64, or the index of the class (int64). Values before
    the rows are those of `values_before`, of known rows and with a gap in days.
    """
    values: dict[str, Any] = {column.name: _raw(column) for column in table}
    values |= values_before(problem.table, table, known, gap)
    kept = (name for name in problem.table.of_role("id", "group", "time") if name in values)
    rows = {**problem.encode(values), **{name: values[name] for name in kept}}
    if problem.target not in values:
        return rows
    target = values[problem.target]
    if problem.classes:
        names = table[problem.target].cast(pl.String)
        if OTHER in problem.classes:
            names = names.set(~names.is_in(problem.classes), OTHER)
        target = names.cast(pl.Enum(problem.classes)).to_physical().cast(pl.Int64).to_numpy()
    return {**rows, problem.target: target}


def _raw(column: pl.Series) -> NDArray[Any]:
    """Return values: text as objects, "" where missing; others float64, NaN where missing."""
    if column.dtype == pl.String:
        texts = column.fill_null("")
        different = texts.unique()  # equal texts share one object
        return different.to_numpy()[texts.cast(pl.Enum(different)).to_physical()]
    physical = column.dt.epoch("ms") if column.dtype == pl.Datetime else column
    return physical.cast(pl.Float64).fill_null(np.nan).to_numpy()


def read_batch(problem: Problem, params: TabularParams, source: Path, folder: Path) -> Columns:
    """Read rows to predict; raise UserError for values that a request may not have.

    Lags and means read the data set in the folder too, and need the group and the time.
    """
    table = read_rows(problem, params, source, folder.parent)
    stored = stored_rows(problem, folder) if before_columns(problem.table) else table
    return read_columns(problem, table, stored, params.split.gap_days)


def batch_history(
    problem: Problem, params: TabularParams, files: Sequence[Path], folder: Path, target: Path
) -> None:
    """Write the rows of the data set and of files.

    Raises:
        UserError: as `read_batch`.
    """
    stored = stored_rows(problem, folder)
    keys = problem.table.of_role("time", "group")
    new = pl.concat([read_rows(problem, params, file, target) for file in files], how="diagonal")
    for name in {*before_columns(problem.table).values()} & {*new.columns}:
        # Where the data set has a value too, that one counts.
        known = stored.drop_nulls(name).select(*keys, **{"is known": True}).unique()
        own = pl.when(pl.col("is known").is_null()).then(name)
        new = new.join(known, keys, "left").with_columns(own.alias(name)).drop("is known")
    pl.concat([stored, new], how="diagonal").write_parquet(target / ROWS)
    copy(folder / STORED, target / STORED)


def read_rows(problem: Problem, params: TabularParams, source: Path, scratch: Path) -> pl.DataFrame:
    """Read the rows of a file, validated, by way of a folder in `scratch`."""
    identifiers = problem.table.of_role("id", "group")
    lagged = before_columns(problem.table).values()
    keys = problem.table.of_role("time", "group") if lagged else ()
    required = {*keys, *(name for name in problem.requested if name not in identifiers)}
    optional = {*identifiers, *problem.table.of_role("time"), *lagged} - required
    columns = {n: c for n, c in problem.table.columns.items() if n in required | optional}
    columns |= {n: columns[n].model_copy(update={"missing": 1.0}) for n in optional}
    renamed = {name: own for name, own in params.data.columns.items() if name in columns}
    read = {name: sql for name, sql in params.data.read.items() if name in columns}
    data = params.data.with_source(source).model_copy(update={"columns": renamed, "read": read})
    schema = problem.table.model_copy(update={"columns": columns})
    with TemporaryDirectory(dir=scratch, prefix=".batch-") as folder:
        rows = Path(folder) / ROWS
        import_rows(data, layout(schema, tuple(optional)), rows)
        table = pl.read_parquet(rows)
        checks = rules({name: columns[name] for name in table.columns}, limits=False)
        if broken := find_violations(rows, checks):
            raise violations_error(str(source), broken, renamed)
    return table


def request_values(
    problem: Problem, rows: Columns, row: int, with_texts: bool = False
) -> dict[str, Any]:
    """Return a row as a request without identifiers: the reverse of `to_rows`.

    Texts are empty, since they may be personal, or have the words that the model counts.
    """
    values: dict[str, Any] = {}
    time = problem.column_of("time")
    for name in problem.table.of_role("feature"):
        value = rows[name][row]
        if name in problem.texts:
            value = " ".join(value.split()[1:-1]) if with_texts else ""
        elif value == "" or value != value:  # noqa: PLR0124  missing
            continue
        if problem.table.columns[name].type == "date":
            days = rows[time][row] / DAY - value if time else value
            value = EPOCH + timedelta(milliseconds=round(days * DAY))
        values[name] = value
    for field in before_columns(problem.table):
        values[field] = [None if v != v else v for v in rows[field][row].tolist()]  # noqa: PLR0124
    if time in problem.requested:
        values[time] = EPOCH + timedelta(milliseconds=float(rows[time][row]))
    return values


def requests_of(problem: Problem, _: Path, rows: Columns) -> list[BaseModel]:
    """Build a request of each row, with its texts, but without identifiers."""
    request = request_type(problem)
    values = [request_values(problem, rows, row, True) for row in range(length(rows))]
    return [request.model_validate(one) for one in values]


def examples(problem: Problem, _: Path, rows: Columns, count: int) -> list[BaseModel]:
    """Build requests from test rows, as many of each class as there are, without identifiers."""
    target = rows[problem.target]
    ranks = np.zeros(len(target))
    for code in range(len(problem.classes)):
        ranks[target == code] = np.arange(np.sum(target == code))
    order = np.argsort(ranks, kind="stable")
    request = request_type(problem)
    return [request.model_validate(request_values(problem, rows, row)) for row in order[:count]]


def batch_table(problem: Problem, rows: Columns, predictions: Columns) -> Columns:
    """Return the columns of the file of predictions: ids, group and time, then the answers.

    With `--explain`, what moved each most follows.
    """
    identifiers = {n: rows[n] for n in problem.table.of_role("id", "group") if n in rows}
    if (time := problem.column_of("time")) in rows:
        identifiers[time] = rows[time].astype("datetime64[ms]")
    if problem.classes:
        answers = {"prediction": np.array(problem.classes, object)[predictions["prediction"]]}
        for name, share in zip(problem.classes, predictions["probabilities"].T, strict=True):
            answers[f"probability {name}"] = share
    else:
        answers = {name: predictions[name] for name in ("prediction", "low", "high")}
    renamed = {f"own {n}" if n in answers else n: ids for n, ids in identifiers.items()}
    if EXPLAIN in rows:
        answers |= reason_columns(predictions["effects"], problem.features)
    return {**renamed, **answers}
