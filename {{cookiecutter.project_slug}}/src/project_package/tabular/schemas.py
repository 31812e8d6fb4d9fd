"""Requests and responses: a request has the columns of the table."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from ..columns import EXPLAIN
from ..data.table_schema import LARGEST, MOST_CHARACTERS, Column
from ..fields import Identifier, parse_time
from ..frozen import Frozen
from .lags import before_columns
from .problem import Problem

SHOWN = 10  # categories that a description lists


class Reason(Frozen):
    """The effect of a feature: the score minus the score with the typical value of the feature."""

    feature: str
    effect: float = Field(description="in log-odds of the prediction, or in units of the target")


class ClassResponse(Frozen):
    """The predicted class, and the probability of each class."""

    prediction: str
    probabilities: dict[str, float]
    reasons: tuple[Reason, ...] = ()


class NumberResponse(Frozen):
    """The predicted value, and an interval."""

    prediction: float
    low: float
    high: float
    reasons: tuple[Reason, ...] = ()


def _to_utc(moment: datetime) -> datetime:
    if not 1 < moment.year < 9999:
        raise ValueError("must be in the years 2 to 9998")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _is_whole(number: float) -> float:
    if number % 1:  # `multiple_of` lets 1e-42 pass
        raise ValueError("must be a whole number")
    return number


Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
TYPES: Mapping[str, Any] = {
    "number": Number,
    "integer": Annotated[Number, AfterValidator(_is_whole)],
    "boolean": bool,
    "date": Annotated[datetime, BeforeValidator(parse_time), AfterValidator(_to_utc)],
    **{kind: Annotated[str, Field(max_length=most)] for kind, most in MOST_CHARACTERS.items()},
}


def request_type(problem: Problem) -> type[BaseModel]:
    """Build the request: a field for each column, whose alias is the name of the column.

    Columns can have any name; the attributes are `column_0`, `column_1` and so on.
    """
    fields: dict[str, Any] = {}
    for index, name in enumerate(problem.requested):
        column = problem.table.columns[name]
        known = column.role in ("id", "group")
        kind = Identifier if known else TYPES[column.type]
        optional = known or column.missing > 0
        if column.type == "category" and not optional:
            kind = Annotated[kind, Field(min_length=1)]
        described = Field(
            None if optional else ..., alias=name, title=name, description=describe(column)
        )
        fields[f"column_{index}"] = (kind | None if optional else kind, described)
    for index, (field, name) in enumerate(before_columns(problem.table).items()):
        longest = problem.table.columns[name].longest
        text = f"values of {name} in the rows before that are known, the newest first"
        described = Field(..., alias=field, title=field, description=text, max_length=longest)
        fields[f"before_{index}"] = (tuple[Number | None, ...], described)
    fields[EXPLAIN] = (bool, Field(default=False, description="return reasons too"))
    title = f"A row of the table, to predict {problem.target}"
    return create_model("Row", __base__=Request, __doc__=title, **fields)


def label_type(problem: Problem) -> type[BaseModel]:
    """Build the label of a row: the target, under the name of its column."""
    kind: Any = Literal[problem.classes] if problem.classes else Number
    target = (kind, Field(..., alias=problem.target, title=problem.target))
    return create_model("Label", __base__=Request, __doc__="The target of a row", target=target)


class Request(Frozen):
    """The base of requests: JSON has the names of the columns, also in output."""

    model_config = ConfigDict(serialize_by_alias=True)


def describe(column: Column) -> str:
    """Describe the values of a column, for the API documentation."""
    parts = [column.description] if column.description else []
    if column.type == "integer":
        parts.append("a whole number")
    if column.categories:
        more = ", ..." if column.others or len(column.categories) > SHOWN else ""
        parts.append(f"expected: {', '.join(column.categories[:SHOWN])}{more}")
    if column.min is not None and column.max is not None:
        parts.append(f"expected: {column.min:g} to {column.max:g}")
    return "; ".join(parts)
