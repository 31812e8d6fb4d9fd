"""Load the table, validate it by its schema, split it, and read files to predict.

A data set is two files:
rows.parquet   the validated rows, without the columns that are ignored
schema.json    the schema that they follow
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from ..contract import Columns, Frozen, take
from ..data.completejourney import PURCHASES, Data, Script, gather
from ..data.sources import copy
from ..data.table_rules import layout, rules, used_columns
from ..data.table_schema import SCHEMA, Schema
from ..data.validation import broken_by_rows
from ..errors import UserError, refuse
from ..params import Params, Promote
from ..training import Fold, Progress, Splits
from .problem import DAY, Problem
from .schemas import request_type
from .task import request_values

ROWS, STORED = "rows.parquet", "schema.json"
HOUSEHOLDS = Script(
    folder=__package__,
    file="households.sql",
    tables=("transactions", "demographics", "coupon_redemptions"),
    variables={},
    result="households",
    order="month, household_id",
)
Values: TypeAlias = NDArray[Any]
Part: TypeAlias = tuple[Values, Values]
"""Rows to fit on and rows to score on, as masks or indices."""


class TabularData(Data):
    """Where the table comes from, and what to predict."""

    target: str = Field(default="lapsed", description="the column to predict")
    positive: str = Field(default="", description="of a target with two classes, the one to find")


class Split(Frozen):
    """How the rows are split: by time or group where the schema has such a column."""

    test_share: float = Field(default=0.2, gt=0, le=0.5, description="of the rows, for the test")
    folds: int = Field(default=3, ge=1, le=10, description="of the other rows, for the search")
    gap_days: float = Field(default=0, ge=0, description="until the target of a row is known")


class Decide(Frozen):
    """What decisions cost, and how wide intervals are."""

    false_positive: float = Field(default=1, gt=0, description="cost of a wrong positive")
    false_negative: float = Field(default=1, gt=0, description="cost of a missed positive")
    coverage: float = Field(default=0.8, gt=0, lt=1, description="share of values in the interval")


class AboutParams(Frozen):
    """What the report and the model card say."""

    question: str = ""
    use: str = ""
    misuse: str = ""
    limits: tuple[str, ...] = ()


class TabularParams(Params):
    """All parameters."""

    metric: str = Field(default="", description="that decides; empty for the task's default")
    data: TabularData = TabularData(source=PURCHASES)
    split: Split = Split()
    decide: Decide = Decide()
    about: AboutParams = AboutParams()
    promote: Promote = Promote(min_parity_rows=100)


def load_data(schema: Schema, params: TabularParams, folder: Path, progress: Progress) -> None:
    """Write the rows and their schema into a folder; refuse rows that break a rule."""
    rows, used = folder / ROWS, used_columns(schema)
    gather(params.data, HOUSEHOLDS, layout(schema), rows)
    if params.data.source == PURCHASES:
        pl.scan_parquet(rows).select(list(used)).collect().write_parquet(rows)
    progress(0.6)
    if broken := broken_by_rows(rows, rules(used)):
        raise refuse(f"The rows break {SCHEMA} and", broken, params.data.columns)
    (folder / STORED).write_text(schema.model_dump_json(indent=2), encoding="utf-8")


def read_columns(problem: Problem, table: pl.DataFrame) -> Columns:
    """Return features as the model takes them, and the columns that say whose and when.

    With the target, if the table has it: float64, or the index of the class (int64).
    """
    values: dict[str, Any] = {
        name: _raw(column) for name, column in zip(table.columns, table, strict=True)
    }
    rows = problem.encode(values)
    kept = (name for name in problem.table.of_role("id", "group", "time") if name in values)
    rows = {**rows, **{name: values[name] for name in kept}}
    if problem.target not in values:
        return rows
    target = values[problem.target]
    if problem.classes:
        if table[problem.target].dtype == pl.Boolean:
            target = np.where(target > 0, "true", "false")
        codes = {name: code for code, name in enumerate(problem.classes)}
        target = np.array([codes[name] for name in target.tolist()], np.int64)
    return {**rows, problem.target: target}


def _raw(column: pl.Series) -> NDArray[Any]:
    """Return values: text as objects, "" where missing; others float64, NaN where missing."""
    if column.dtype == pl.String:
        return np.array(column.fill_null("").to_list(), object)
    physical = column.dt.epoch("ms") if column.dtype == pl.Datetime else column
    return physical.cast(pl.Float64).fill_null(np.nan).to_numpy()


def split(problem: Problem, params: TabularParams, folder: Path) -> Splits:
    """Split the rows: by time, by group, or at random with equal shares of the classes.

    Raises:
        UserError: the schema has changed since `ml data`, or there are too few rows.
    """
    if (folder / STORED).read_text(encoding="utf-8") != problem.table.model_dump_json(indent=2):
        raise UserError(f"{SCHEMA} has changed since the data was read: run `ml data` again.")
    table = pl.read_parquet(folder / ROWS)
    if missing := table[problem.target].null_count():
        raise UserError(
            f"Rows without {problem.target}: {missing:,}. Leave them out of the source."
        )
    rows = read_columns(problem, table)
    parts = by_time if problem.one("time") else at_random
    test, *folds = (Fold(take(rows, t), take(rows, v)) for t, v in parts(problem, params, rows))
    for part in (p for fold in (test, *folds) for p in (fold.train, fold.valid)):
        for code, name in enumerate(problem.classes):
            if not np.any(part[problem.target] == code):
                raise UserError(
                    f'A part of the split has no row of the class "{name}": use more rows or fewer '
                    "folds, or merge rare classes."
                )
    return Splits(train=test.train, folds=tuple(folds), test=test.valid)


def by_time(problem: Problem, params: TabularParams, rows: Columns) -> Iterator[Part]:
    """Yield the rows to fit on and the later rows to score on: for the test, then for each fold.

    Rows of one time stay together. Each fold fits on all earlier rows but those of the gap.
    """
    sizes, moments = params.split, rows[problem.one("time")]
    times, counts = np.unique(moments, return_counts=True)
    earlier = (np.cumsum(counts) - counts) / counts.sum()
    first = min(int(np.searchsorted(earlier, 1 - sizes.test_share - 1e-9)), len(times) - 1)
    block = np.floor(earlier / max(earlier[first], 1e-9) * (sizes.folds + 1) + 1e-9)
    for number in (sizes.folds + 1, *range(1, sizes.folds + 1)):
        mine = times[block >= number] if number > sizes.folds else times[block == number]
        train = moments <= (mine[0] - sizes.gap_days * DAY if len(mine) else -np.inf)
        train &= moments < mine[0] if len(mine) else False
        if not np.any(train):
            raise UserError(
                f"The table has {len(times)} different times, too few for this split: lower "
                "split.folds, split.test_share or split.gap_days."
            )
        yield train, np.isin(moments, mine)


def at_random(problem: Problem, params: TabularParams, rows: Columns) -> Iterator[Part]:
    """Yield the rows to fit on and the others to score on: for the test, then for each fold.

    Rows of a group stay together, and classes have nearly the same share in each part.
    """
    sizes, target, group = params.split, rows[problem.target], problem.one("group")
    labels = target if problem.classes else np.zeros(len(target), np.int64)
    kind = StratifiedGroupKFold if group else StratifiedKFold

    def split_into(parts: int, among: Values) -> Iterator[tuple[Values, Values]]:
        least = int(np.min(np.unique(labels[among], return_counts=True)[1]))
        least = min(least, len(np.unique(rows[group][among]))) if group else least
        if least < parts:
            raise UserError(
                f"{len(target):,} rows are too few for this split, which needs {parts} of each "
                f"class, or groups, where {least} are left: use more rows, or fewer parts."
            )
        splitter = kind(parts, shuffle=True, random_state=params.seed)
        groups = rows[group][among] if group else None
        for first, second in splitter.split(among, labels[among], groups):
            yield among[first], among[second]

    rest, test = next(split_into(round(1 / sizes.test_share), np.arange(len(target))))
    yield rest, test
    yield from islice(split_into(max(2, sizes.folds), rest), sizes.folds)


def read_batch(problem: Problem, params: TabularParams, source: Path, folder: Path) -> Columns:
    """Read rows to predict; they may leave out what a request may leave out.

    Raises:
        UserError: the file cannot be read, or has a value that a request may not have.
    """
    known = {*problem.requested, problem.one("time")}
    columns = {name: c for name, c in problem.table.columns.items() if name in known}
    needed = {*problem.requested} - {*problem.table.of_role("id", "group")}
    free = {"min": None, "max": None, "others": True}
    checked = {name: c.model_copy(update=free) for name, c in columns.items() if name in needed}
    renamed = {name: own for name, own in params.data.columns.items() if name in columns}
    data = params.data.model_copy(update={"source": str(source.absolute()), "columns": renamed})
    schema = problem.table.model_copy(update={"columns": columns})
    with TemporaryDirectory(dir=folder.parent, prefix=".batch-") as scratch:
        rows = Path(scratch) / ROWS
        copy(data, layout(schema, tuple(columns.keys() - needed)), rows)
        if broken := broken_by_rows(rows, rules(checked)):
            raise refuse(str(source), broken, renamed)
        return read_columns(problem, pl.read_parquet(rows))


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
    """Return the columns of the file of predictions: ids, group and time, then the answers."""
    found = {name: rows[name] for name in problem.table.of_role("id", "group") if name in rows}
    if (time := problem.one("time")) in rows:
        found[time] = rows[time].astype("datetime64[ms]")
    if problem.classes:
        answers = {"prediction": np.array(problem.classes, object)[predictions["prediction"]]}
        for name, share in zip(problem.classes, predictions["probabilities"].T, strict=True):
            answers[f"probability {name}"] = share
    else:
        answers = {name: predictions[name] for name in ("prediction", "low", "high")}
    own = {f"own {name}" if name in answers else name: values for name, values in found.items()}
    return {**own, **answers}
