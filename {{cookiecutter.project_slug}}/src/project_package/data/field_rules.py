"""Derive the columns of a table, and the rules for its rows, from the fields of a model.

A rule is written once, at the field. Pydantic keeps it in requests and events; the Pandera checks
that are made here keep it in tables and batch files, a column at a time.
Pandera takes two seconds to import: only the data stage should import this module.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pandera.polars as pa
import polars as pl
from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from ..time_and_money_fields import EARLIEST, Period
from .import_rows import Type

TYPES: Mapping[type, tuple[Type, Any]] = {
    bool: ("BOOLEAN", pl.Boolean),
    str: ("VARCHAR", pl.String),
    date: ("TIMESTAMP_MS", pl.Datetime("ms")),
    datetime: ("TIMESTAMP_MS", pl.Datetime("ms")),
    int: ("DOUBLE", pl.Float64),
    float: ("DOUBLE", pl.Float64),
}
"""The types of a column, in DuckDB and in Polars, by the type of its field."""
BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
"""The bounds of numbers, in pydantic, Polars and words."""
LIMITS = (*BOUNDS, "min_length", "max_length", "pattern")


def types_of(model: type[BaseModel]) -> Mapping[str, Type]:
    """Return the type of the column of each field, for a `Layout`."""
    return {name: _types_of([*_parts(f)])[0] for name, f in model.model_fields.items()}


def rules_of(
    model: type[BaseModel], checks: Mapping[str, Sequence[pa.Check]] | None = None
) -> dict[str, pa.Column]:
    """Declare the column of each field, with the rules of the field.

    Bounds, lengths, patterns, literals, `Period` and `| None` become rules. Numbers must be finite.
    A BeforeValidator has none: it parses what DuckDB casts. Other validators are functions for one
    value, which would be slow in a table: `checks` has the same rule for a column, by field.

    Raises:
        TypeError: a field has a rule that cannot be derived, and `checks` has none for the field.
    """
    validated = {
        name: validator.cls_var_name
        for validator in model.__pydantic_decorators__.field_validators.values()
        for name in validator.info.fields
    }
    columns = {}
    for name, field in model.model_fields.items():
        parts = [*_parts(field)]
        kind, dtype = _types_of(parts)
        explicit = (checks or {}).get(name)
        rule = validated.get(name) or validated.get("*") or _underivable(parts, kind)
        if explicit is None and rule:
            broken = f"The rule {rule} of {model.__name__}.{name} cannot be derived for a table"
            raise TypeError(f"{broken}: state the same rule as a check of the column.")
        rules = [*_derived_checks(parts, kind), *(explicit or ())]
        is_optional = NoneType in parts or None in _choices(parts)
        columns[name] = pa.Column(dtype, rules, nullable=is_optional)
    return columns


def row_check(condition: Callable[[pl.Expr], pl.Expr], rule: str) -> pa.Check:
    """Return a check of a column: `condition` is true where a value keeps the rule."""

    def keeps_rule(data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(condition(pl.col(data.key)))

    return pa.Check(keeps_rule, error=rule)


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield the types of a field, its literals, and the rules in its metadata."""
    if isinstance(annotation, FieldInfo):  # the field, or a part of Annotated
        yield from _parts(annotation.annotation)
        yield from annotation.metadata
    elif get_origin(annotation) in (Annotated, Union, UnionType):
        for part in get_args(annotation):
            yield from _parts(part)
    else:
        yield annotation


def _choices(parts: Sequence[Any]) -> list[Any]:
    """Return the values of literals."""
    return [choice for part in parts if get_origin(part) is Literal for choice in get_args(part)]


def _types_of(parts: Sequence[Any]) -> tuple[Type, Any]:
    """Return the types of the column of a field with these parts."""
    for kind in (*parts, *map(type, _choices(parts))):
        if isinstance(kind, type) and kind in TYPES:
            return TYPES[kind]
    raise TypeError(f"{parts[0]} is not a column: use str, bool, a number, a date or a datetime")


def _limits(parts: Sequence[Any]) -> Mapping[str, Any]:
    """Return the bounds, lengths and patterns among the metadata, by their names in pydantic.

    Of two limits with one name, pydantic uses the last.
    """
    named = ((name, getattr(part, name, None)) for part in parts for name in LIMITS)
    return {name: limit for name, limit in named if limit is not None}


def _underivable(parts: Sequence[Any], kind: Type) -> Any:
    """Return a rule that has no derived check, or None: a function, a multiple, a bound of time."""
    for part in parts:
        function = None if isinstance(part, BeforeValidator) else getattr(part, "func", None)
        is_limit = hasattr(part, "multiple_of") or (kind == "TIMESTAMP_MS" and _limits([part]))
        if is_limit or not isinstance(function, Period | NoneType):
            return part
    return None


def _derived_checks(parts: Sequence[Any], kind: Type) -> Iterator[pa.Check]:
    """Yield the checks of a column for the rules of its field."""
    choices = [choice for choice in _choices(parts) if choice is not None]
    if choices:
        values = [float(choice) for choice in choices] if kind == "DOUBLE" else choices
        yield pa.Check.isin(values, error=f"must be one of {', '.join(map(str, choices))}")
    elif kind == "DOUBLE":
        yield _number_check(_limits(parts))
        if int in parts:
            yield row_check(lambda value: value == value.round(), "must be a whole number")
    elif kind == "VARCHAR":
        yield from _text_checks(_limits(parts))
    elif date in parts:
        yield row_check(lambda time: time == time.dt.truncate("1d"), "must be a date without time")
    for part in parts:
        if isinstance(period := getattr(part, "func", None), Period):
            first = EARLIEST.replace(tzinfo=None)
            last = datetime.now(UTC).replace(tzinfo=None) + period.ahead
            yield pa.Check.in_range(first, last, error=period.rule)


def _number_check(bounds: Mapping[str, float]) -> pa.Check:
    numbers = {name: f"{limit:,.15g}" for name, limit in bounds.items()}
    words = "".join(f", {BOUNDS[name]} {number}" for name, number in numbers.items())
    rule = f"must be a finite number{words}"
    if numbers.keys() == {"ge", "le"}:
        rule = f"must be a number from {numbers['ge']} to {numbers['le']}"
    elif numbers.keys() == {"ge", "lt"}:
        rule = f"must be a number from {numbers['ge']} to less than {numbers['lt']}"

    def is_within(value: pl.Expr) -> pl.Expr:
        within = (getattr(value, name)(limit) for name, limit in bounds.items())
        return pl.all_horizontal(value.is_finite(), *within)

    return row_check(is_within, rule)


def _text_checks(limits: Mapping[str, Any]) -> Iterator[pa.Check]:
    low = limits.get("min_length", 0)
    high = limits.get("max_length")
    if low or high is not None:
        rule = f"must have {low} {'or more' if high is None else f'to {high}'} characters"
        yield pa.Check.str_length(low, high, error=rule)
    if pattern := limits.get("pattern"):  # pydantic's engine and that of Polars are Rust's regex
        text = getattr(pattern, "pattern", pattern)
        yield pa.Check.str_contains(pattern, error=f"must match the pattern {text}")
