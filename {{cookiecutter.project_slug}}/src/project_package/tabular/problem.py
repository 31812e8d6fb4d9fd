"""What is predicted, from which columns of the table, and how their values become rows."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns
from ..data.table_schema import SCHEMA, Column, Role, Schema
from ..errors import UserError, require_known
from ..frozen import Frozen
from .date_parts import DAY, part_column, part_columns, part_values
from .lags import before_columns, lag_columns, mean_before
from .texts import words

OTHER = "other"
"""The class of all values of a target that are not listed, if it may have others."""
Kind: TypeAlias = Literal["binary", "multiclass", "regression"]


class Problem(Frozen):
    """The columns of a table and its target; a bundle stores it."""

    table: Schema
    target: str
    classes: tuple[str, ...] = ()
    """In the order of probabilities, the positive class of two last; empty for a number."""

    @property
    def kind(self) -> Kind:
        """The kind of task."""
        if not self.classes:
            return "regression"
        return "binary" if len(self.classes) == 2 else "multiclass"

    @cached_property
    def inputs(self) -> Mapping[str, Column]:
        """The features: columns of the table, parts of dates, lags and rolling means."""
        columns = {name: self.table.columns[name] for name in self.table.of_role("feature")}
        for name, (date, part) in part_columns(self.table).items():
            columns[name] = part_column(self.table.columns[date], part)
        columns |= dict.fromkeys(lag_columns(self.table), Column(role="feature", type="number"))
        return columns

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """The features that are numbers for a model: numbers, yes or no, and dates."""
        return tuple(
            name for name, column in self.inputs.items() if column.type not in ("category", "text")
        )

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """The features that are categories."""
        return tuple(name for name, column in self.inputs.items() if column.type == "category")

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The features that are texts."""
        return tuple(name for name, column in self.inputs.items() if column.type == "text")

    @cached_property
    def features(self) -> tuple[str, ...]:
        """All features: numbers, categories, texts."""
        return (*self.numbers, *self.categories, *self.texts)

    @cached_property
    def target_before(self) -> str:
        """The field of earlier values of the target; empty where it has no lags."""
        fields = before_columns(self.table).items()
        return next((field for field, name in fields if name == self.target), "")

    @cached_property
    def directions(self) -> Mapping[str, int]:
        """Return 1 or -1 for each feature with which the answer may only rise or only fall."""
        found = {name: column.monotone for name, column in self.inputs.items() if column.monotone}
        return {name: 1 if word == "increasing" else -1 for name, word in found.items()}

    @cached_property
    def requested(self) -> tuple[str, ...]:
        """The columns of a request: features, the time if a feature needs it, and identifiers."""
        columns = [name for name in self.features if name in self.table.columns]
        dated = any(self.table.columns[name].type == "date" for name in columns)
        time = [n for n in self.table.of_role("time") if dated or self.table.columns[n].parts]
        return (*columns, *time, *self.table.of_role("id", "group"))

    def column_of(self, role: Role) -> str:
        """Return the column with a role; empty when there is none."""
        return next(iter(self.table.of_role(role)), "")

    def encode(self, values: Mapping[str, Sequence[Any] | NDArray[Any]]) -> Columns:
        """Turn values of features, None where missing, into rows.

        Numbers become float64 with NaN, categories text with "" where missing, and texts their
        words. Dates come in milliseconds since 1970 and become days: before the row's time, or
        since 1970 in a table without a time. Values before a row, (rows, longest), stay in the
        rows.
        """
        rows: dict[str, Any] = {field: values[field] for field in before_columns(self.table)}
        parts = part_columns(self.table)
        lags = lag_columns(self.table)
        for name in self.features:
            if name in parts:
                date, part = parts[name]
                rows[name] = part_values(np.array(values[date], np.float64), part)
            elif name in lags:
                field, averaged = lags[name]
                rows[name] = mean_before(rows[field][:, averaged])
            elif name in self.categories:
                rows[name] = np.array(["" if v is None else v for v in values[name]], object)
            elif name in self.texts:
                rows[name] = np.array([words(v or "") for v in values[name]], object)
            else:
                rows[name] = np.array(values[name], np.float64)
                if self.inputs[name].type == "date":
                    rows[name] = rows[name] / DAY
                    if time := self.column_of("time"):
                        rows[name] = np.array(values[time], np.float64) / DAY - rows[name]
        return rows

    def unseen(self, rows: Columns, _: Columns) -> Mapping[str, int]:
        """Count the values that are not among the categories of a column, by column."""
        counts = {}
        for name in self.categories:
            column = self.inputs[name]
            if not column.others:
                known = {"", *column.categories}
                counts[name] = sum(value not in known for value in rows[name].tolist())
        return {name: count for name, count in counts.items() if count}


def find_problem(table: Schema, target: str, positive: str = "") -> Problem:
    """Return what is predicted; the kind of task follows from the type of the target column.

    Raises:
        UserError: there is no such column, it is a feature, it cannot be predicted, or `positive`
            is not one of its two classes.
    """
    require_known("data.target", [target], f"a column of {SCHEMA}", table.columns)
    column = table.columns[target]
    if column.role not in ("target", "outcome"):
        raise UserError(
            f'data.target: "{target}" has the role {column.role} in {SCHEMA}; change it to target.'
        )
    classes = find_classes(table, target)
    if len(classes) == 2:
        require_known("data.positive", [positive or classes[1]], f"a class of {target}", classes)
        classes = tuple(sorted(classes, key=lambda name: name == (positive or classes[1])))
    problem = Problem(table=table, target=target, classes=classes)
    made = {*part_columns(table), *lag_columns(table), *before_columns(table)}
    if twice := made & table.columns.keys():
        raise UserError(f"{SCHEMA} has a column with the name of a date part or lag: {min(twice)}.")
    if not problem.features:
        raise UserError(f"{SCHEMA} has no feature: change the role of at least one column.")
    if problem.directions and problem.kind == "multiclass":
        raise UserError(f"{SCHEMA}: monotone needs a number or two classes to predict: remove it.")
    return problem


def find_classes(table: Schema, target: str) -> tuple[str, ...]:
    """Return the classes of a target, none of a number; raise UserError if they are not usable."""
    column = table.columns[target]
    if column.type in ("number", "integer"):
        return ()
    others = (OTHER,) if column.others else ()
    classes = ("false", "true") if column.type == "boolean" else (*column.categories, *others)
    if column.type in ("text", "date") or len({*classes}) < max(2, len(classes)):
        raise UserError(
            f'data.target: "{target}" cannot be predicted: it is a {column.type} with '
            f"{len(classes)} listed classes in {SCHEMA}. Predict a number, or two classes or more "
            "that differ."
        )
    return classes
