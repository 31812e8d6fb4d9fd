"""Change a request to what its schema barely allows, and to what it does not allow."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

Json: TypeAlias = Any
Schema: TypeAlias = Mapping[str, Any]
ValuesOf: TypeAlias = Callable[[Schema], list[Json]]
"""Return values for a schema that is no union."""
LARGEST = 1e308
LONGEST = 1_000
"""Characters of a long text."""
SMALL: Mapping[str, tuple[Json, ...]] = {"null": (None,), "boolean": (False, True), "array": ([],)}
DATES = {
    "date": ("0001-01-01", "1990-01-01", "9999-12-31"),
    "date-time": ("0001-01-01T00:00:00Z", "1990-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
}


def extremes(schema: Schema) -> list[Json]:
    """Return the smallest and largest values of a schema, zero, and what is empty."""
    match schema:
        case {"enum": values}:
            return list(values)
        case {"type": "number" | "integer"}:
            low, high = bounds(schema)
            return [low, high, float(np.nextafter(low, high)), float(np.nextafter(high, low)), 0]
        case {"type": "string"}:
            longest = min(schema.get("maxLength", LONGEST), LONGEST)
            return ["", "x" * longest, *DATES.get(schema.get("format", ""), ())]
    return list(SMALL.get(schema.get("type", ""), ()))


def bounds(schema: Schema) -> tuple[float, float]:
    """Return the smallest and the largest number, which may be excluded."""
    low = schema.get("minimum", schema.get("exclusiveMinimum", -LARGEST))
    return low, schema.get("maximum", schema.get("exclusiveMaximum", LARGEST))


def violations(schema: Schema) -> list[Json]:
    """Return values that a schema does not allow: of another type, or too large."""
    kind = schema.get("type")
    if kind == "null":
        return []
    found: list[Json] = [{"unknown": []}]
    if kind in ("number", "integer", "boolean") or "enum" in schema:
        found.append("a text")
    if kind in ("number", "integer"):
        found += [2 * abs(limit) + 1 for name, limit in schema.items() if name == "maximum"]
        found += [-2 * abs(limit) - 1 for name, limit in schema.items() if name == "minimum"]
    if kind == "string" and schema.get("maxLength", LONGEST) < LONGEST:
        found.append("x" * (schema["maxLength"] + 1))
    return found


def variants(
    schema: Schema, value: Json, values_of: ValuesOf, definitions: Schema
) -> Iterator[Json]:
    """Yield copies of a value; in each, one part is another one of `values_of` its schema.

    The items of an array are changed together, each in the same way.
    """
    for kind in kinds(schema, definitions):
        yield from values_of(kind)
        if kind.get("type") == "object" and isinstance(value, dict):
            for name, part in kind.get("properties", {}).items():
                for changed in variants(part, value.get(name), values_of, definitions):
                    yield {**value, name: changed}
        if kind.get("type") == "array" and isinstance(value, list) and "items" in kind:
            parts = [variants(kind["items"], item, values_of, definitions) for item in value]
            yield from map(list, zip(*parts, strict=False))


def all_extreme(schema: Schema, value: Json, definitions: Schema) -> list[Json]:
    """Return a value with all numbers as small as allowed, as large as allowed, and zero."""
    numbers = (lambda kind: bounds(kind)[0], lambda kind: bounds(kind)[1], lambda _: 0)
    return [with_numbers(schema, value, number, definitions) for number in numbers]


def with_numbers(
    schema: Schema, value: Json, number_of: Callable[[Schema], Json], definitions: Schema
) -> Json:
    """Return a value in which all numbers are replaced by `number_of` their schema."""
    for kind in kinds(schema, definitions):
        if kind.get("type") in ("number", "integer"):
            return number_of(kind)
        if kind.get("type") == "object" and isinstance(value, dict):
            parts = kind.get("properties", {})
            return {
                name: with_numbers(parts[name], inner, number_of, definitions)
                for name, inner in value.items()
            }
        if kind.get("type") == "array" and isinstance(value, list) and "items" in kind:
            return [with_numbers(kind["items"], item, number_of, definitions) for item in value]
    return value


def kinds(schema: Schema, definitions: Schema) -> Iterator[Schema]:
    """Yield the alternatives of a schema, each without references."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    if "anyOf" not in schema:
        yield schema
    for option in schema.get("anyOf", ()):
        yield from kinds(option, definitions)
