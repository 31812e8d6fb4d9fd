"""Derive the columns of a table, and the rules for its rows, from the fields of a model.

A rule is written once, at the field. Pydantic keeps it in requests and events; the Pandera checks
that are made here keep it in tables and batch files, a column at a time.
Pandera takes two seconds to import: only the data stage should import this module.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pandera.polars as pa
import polars as pl
from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from ..event_fields import EARLIEST, Period
from .copy_rows import Type

TYPES: Sequence[tuple[type, Type]] = (
    (bool, "BOOLEAN"),  # before the numbers: True is an int
    (str, "VARCHAR"),
    (date, "TIMESTAMP_MS"),
    (int, "DOUBLE"),
    (float, "DOUBLE"),
)
POLARS_TYPES: Mapping[Type, Any] = {
    "BOOLEAN": pl.Boolean,
    "VARCHAR": pl.String,
    "TIMESTAMP_MS": pl.Datetime("ms"),
    "DOUBLE": pl.Float64,
}
BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
"""The bounds of numbers, in pydantic, Polars and words."""
LIMITS = (*BOUNDS, "min_length", "max_length", "pattern")


def types_of(model: type[BaseModel]) -> Mapping[str, Type]:
    """Return the type of the column of each field, for a `Layout`."""
    return {name: _type_of(_parts_of(field)) for name, field in model.model_fields.items()}


def rules_of(
    model: type[BaseModel], checks: Mapping[str, Sequence[pa.Check]] | None = None
) -> dict[str, pa.Column]:
    """Declare the column of each field, with the rules of the field.

    Bounds, lengths, patterns, literals, enums, `Period` and `| None` become rules. Numbers must be
    finite. Other validators are functions for one value, which would be slow in a table: `checks`
    has the same rule for a column, by field.

    Raises:
        TypeError: a field has a rule that cannot be derived, and `checks` has none for the field.
    """
    explicit = checks or {}
    columns = {}
    for name, field in model.model_fields.items():
        parts = _parts_of(field)
        kind = _type_of(parts)
        if name not in explicit and (rule := _underivable(parts, kind)):
            raise TypeError(
                f"The rule {rule} of {model.__name__}.{name} cannot be derived for a table: state "
                "the same rule as a check of the column."
            )
        derived = _derived_checks(parts, kind)
        columns[name] = pa.Column(
            POLARS_TYPES[kind],
            [*derived, *explicit.get(name, ())],
            nullable=NoneType in parts or None in _choices(parts),
        )
    return columns


def row_check(condition: Callable[[pl.Expr], pl.Expr], rule: str) -> pa.Check:
    """Return a check of a column: `condition` is true where a value keeps the rule."""

    def keeps_rule(data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(condition(pl.col(data.key)))

    return pa.Check(keeps_rule, error=rule)


def _parts_of(field: FieldInfo) -> list[Any]:
    """Return the types of a field, its literals, and the rules in its metadata."""
    return [*_parts(field.annotation), *field.metadata]


def _parts(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, FieldInfo):  # within Annotated
        yield from annotation.metadata
    elif get_origin(annotation) in (Annotated, Union, UnionType):
        for part in get_args(annotation):
            yield from _parts(part)
    else:
        yield annotation


def _choices(parts: Iterable[Any]) -> list[Any]:
    """Return the values of literals and enums."""
    choices: list[Any] = []
    for part in parts:
        if get_origin(part) is Literal:
            choices += get_args(part)
        elif isinstance(part, type) and issubclass(part, Enum):
            choices += [member.value for member in part]
    return choices


def _type_of(parts: Sequence[Any]) -> Type:
    """Return the type of the column of a field with these parts."""
    kinds = [*(part for part in parts if isinstance(part, type)), *map(type, _choices(parts))]
    for kind in kinds:
        for base, column_type in TYPES:
            if issubclass(kind, base):
                return column_type
    raise TypeError(f"{parts[0]} is not a column: use str, bool, a number, a date or a datetime")


def _limits(parts: Sequence[Any]) -> Mapping[str, Any]:
    """Return the bounds, lengths and patterns among the metadata, by their names in pydantic.

    Of two limits with one name, pydantic uses the last.
    """
    rules = [part for part in parts if not isinstance(part, type)]
    return {
        name: limit
        for rule in rules
        for name in LIMITS
        if (limit := getattr(rule, name, None)) is not None
    }


def _underivable(parts: Sequence[Any], kind: Type) -> Any:
    """Return a rule that has no derived check, or None: a function, a multiple, a bound of time."""
    for part in parts:
        function = getattr(part, "func", None)
        is_converter = isinstance(part, BeforeValidator)
        if function is not None and not is_converter and not isinstance(function, Period):
            return part
        if getattr(part, "multiple_of", None) is not None:
            return part
        if kind == "TIMESTAMP_MS" and _limits([part]):
            return part
    return None


def _derived_checks(parts: Sequence[Any], kind: Type) -> Iterator[pa.Check]:
    """Yield the checks of a column for the rules of its field."""
    choices = [choice for choice in _choices(parts) if choice is not None]
    if choices:
        rule = f"must be one of {', '.join(map(str, choices))}"
        values = [float(choice) for choice in choices] if kind == "DOUBLE" else choices
        yield pa.Check.isin(values, error=rule)
    elif kind == "DOUBLE":
        yield from _number_checks(_limits(parts), whole=int in parts)
    elif kind == "VARCHAR":
        yield from _text_checks(_limits(parts))
    for part in parts:
        if isinstance(period := getattr(part, "func", None), Period):
            first = EARLIEST.replace(tzinfo=None)
            last = datetime.now(UTC).replace(tzinfo=None) + period.ahead
            yield pa.Check.in_range(first, last, error=period.rule)


def _number_checks(limits: Mapping[str, Any], whole: bool) -> Iterator[pa.Check]:
    bounds = {name: limits[name] for name in BOUNDS if name in limits}
    if bounds:
        yield row_check(
            lambda value: pl.all_horizontal(
                getattr(value, name)(limit) for name, limit in bounds.items()
            ),
            _bounds_rule(bounds),
        )
    if not ({"ge", "gt"} & bounds.keys() and {"le", "lt"} & bounds.keys()):
        yield row_check(pl.Expr.is_finite, "must be a finite number")
    if whole:
        yield row_check(lambda value: value == value.round(), "must be a whole number")


def _bounds_rule(bounds: Mapping[str, float]) -> str:
    """Return the rule about bounds in words."""
    numbers = {name: f"{limit:,.15g}" for name, limit in bounds.items()}
    if bounds.keys() == {"ge", "le"}:
        return f"must be a number from {numbers['ge']} to {numbers['le']}"
    if bounds.keys() == {"ge", "lt"}:
        return f"must be a number from {numbers['ge']} to less than {numbers['lt']}"
    return "must be " + " and ".join(f"{BOUNDS[name]} {number}" for name, number in numbers.items())


def _text_checks(limits: Mapping[str, Any]) -> Iterator[pa.Check]:
    low = limits.get("min_length")
    high = limits.get("max_length")
    if low is not None and high is not None:
        rule = f"must have {low} to {high} characters"
        yield row_check(lambda text: text.str.len_chars().is_between(low, high), rule)
    elif low is not None:
        rule = f"must have {low} characters or more"
        yield row_check(lambda text: text.str.len_chars() >= low, rule)
    elif high is not None:
        rule = f"must have {high} characters or fewer"
        yield row_check(lambda text: text.str.len_chars() <= high, rule)
    if pattern := limits.get("pattern"):
        text_of_pattern = getattr(pattern, "pattern", pattern)
        yield row_check(
            lambda text: text.str.contains(text_of_pattern),  # pydantic's engine: Rust's regex
            f"must match the pattern {text_of_pattern}",
        )
