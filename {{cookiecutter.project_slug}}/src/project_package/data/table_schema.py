"""The schema of a table: its columns, and what each is for.

`ml schema` proposes it as schema.toml, a person reviews it, and nothing is guessed later.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, ValidationError, model_validator

from ..columns import EXPLAIN
from ..errors import UserError
from ..frozen import Frozen

SCHEMA = "schema.toml"
Role: TypeAlias = Literal["feature", "target", "outcome", "id", "group", "time", "ignored"]
ColumnType: TypeAlias = Literal["number", "integer", "boolean", "category", "date", "text"]
DatePart: TypeAlias = Literal["weekday", "month", "day_of_year", "hour", "elapsed"]
EarlierRows: TypeAlias = Annotated[int, Field(ge=1, le=400)]
PATTERN = re.compile(r"\*|\^.*\$", re.DOTALL)
"""Names that polars takes for several columns."""
LARGEST = 1e30
"""Larger numbers would overflow in the float32 arithmetic of graphs."""
MOST_CHARACTERS: Mapping[ColumnType, int] = {"category": 1_000, "text": 20_000}
"""Of a value. A column with values that are too long for a category is text."""


class Column(Frozen):
    """One column of the table."""

    role: Role
    type: ColumnType
    description: str = ""
    missing: float = Field(default=0, ge=0, le=1)
    """Share of the rows without a value; with 0, every row must have one."""
    min: float | None = Field(default=None, allow_inf_nan=False)
    max: float | None = Field(default=None, allow_inf_nan=False)
    categories: tuple[str, ...] = ()
    """The values of a category, the most frequent first."""
    others: bool = False
    """Whether a category may have further, rare values."""
    decimal: Literal[".", ","] = "."
    """The decimal mark of numbers; with a comma, points separate thousands."""
    format: str = ""
    """Of dates that the source has as text, such as `%d.%m.%Y` or `%d.%m.%Y | %m/%Y`, or as numbers
    since 1970, `seconds` or `milliseconds`. ISO 8601 is read too."""
    parts: tuple[DatePart, ...] = ()
    """Of a date: the features that are made of it; `elapsed` counts days since 1970."""
    lags: tuple[EarlierRows, ...] = ()
    """Of a number: the features that are its values so many rows before."""
    means: tuple[EarlierRows, ...] = ()
    """Of a number: the features that are its means of so many rows before."""
    monotone: Literal["", "increasing", "decreasing"] = ""
    """How the value, or the probability of the class to find, may change with a number."""
    example: str | float | bool | None = None

    @property
    def longest(self) -> int:
        """How many rows before are read; 0 without lags and means."""
        return max((*self.lags, *self.means), default=0)

    @model_validator(mode="after")
    def _check_values(self) -> Self:
        if self.parts and self.type != "date":
            raise ValueError("only a date has parts")
        kinds = ("number", "integer", "boolean")
        if self.monotone and (self.role != "feature" or self.type not in kinds):
            raise ValueError("only a feature that is a number or a boolean can be monotone")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is larger than max")
        return self


class Schema(Frozen):
    """All columns of a table, in its order."""

    null_values: tuple[str, ...] = ()
    """Texts that stand for a missing value."""
    columns: dict[str, Column]

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        for role in ("target", "id", "group", "time"):
            if len(found := self.of_role(role)) > 1:
                raise ValueError(f"only one column can have the role {role}: {', '.join(found)}")
        for name, column in self.columns.items():
            if column.role == "time" and (column.type != "date" or column.missing):
                raise ValueError(f"{name}: the time must be a date such as 2024-01-31 in every row")
            listed = column.categories or (("",) if column.type == "category" else ())
            if column.role == "feature" and ("" in listed or len({*listed}) < len(listed)):
                raise ValueError(f"{name}: `categories` must list its different values, none empty")
            if column.role != "ignored" and (name == EXPLAIN or PATTERN.fullmatch(name)):
                raise ValueError(f"{name}: this name has a meaning of its own; rename the column")
        return self

    @model_validator(mode="after")
    def _check_lags(self) -> Self:
        named = self.of_role("target", "outcome", "feature")
        usable = [name for name in named if self.columns[name].type in ("number", "integer")]
        for name, column in self.columns.items():
            if column.longest and (name not in usable):
                raise ValueError(f"{name}: lags are for numbers: target, outcomes and features")
            if column.longest and not self.of_role("time"):
                raise ValueError(f"{name}: lags need a column with the role time")
        return self

    def of_role(self, *roles: Role) -> tuple[str, ...]:
        """Return the columns that have one of the roles."""
        return tuple(name for name, column in self.columns.items() if column.role in roles)


def read_schema(path: Path) -> Schema:
    """Read schema.toml; raise UserError when it is missing or breaks a rule."""
    try:
        return validated(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise UserError(
            f"There is no {path.name}: run `ml schema SOURCE --target COLUMN`."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path.name} is not valid TOML in UTF-8: {error}.") from error


def validated(values: Any) -> Schema:
    """Return a schema; raise UserError with the rules that it breaks."""
    try:
        return Schema.model_validate(values)
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}".lstrip(": ") for e in error.errors())
        message = "\n".join(line.replace("Value error, ", "") for line in lines)
        raise UserError(f"{SCHEMA} breaks a rule: {message}.") from error
