"""Plant identifiers in requests, and find identifiers in what a project writes."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import uuid4

from pydantic import BaseModel

PATTERN = r"^[^\x00]*$"
"""That of `fields.Identifier`, by which the identifiers in a schema are recognised."""
PLANTED = "planted-"


def plant(request: BaseModel) -> tuple[dict[str, Any], set[str]]:
    """Return a request as JSON in which each identifier is a new one, and the new ones.

    Equal identifiers stay equal, and optional ones are filled in.
    """
    schema = type(request).model_json_schema()
    known: dict[str, str] = {}
    body = _plant(schema, request.model_dump(mode="json"), schema.get("$defs", {}), known)
    return body, {*known.values()}


def _plant(
    schema: Mapping[str, Any], value: Any, definitions: Mapping[str, Any], known: dict[str, str]
) -> Any:
    schema = definitions.get(schema.get("$ref", "").rpartition("/")[2], schema)
    for option in schema.get("anyOf", ()):
        value = _plant(option, value, definitions, known)
    if schema.get("pattern") == PATTERN:
        return known.setdefault(value or uuid4().hex, PLANTED + uuid4().hex)
    if isinstance(value, dict):
        fields = schema.get("properties", {})
        return {n: _plant(fields.get(n, {}), v, definitions, known) for n, v in value.items()}
    if isinstance(value, list):
        return [_plant(schema.get("items", {}), item, definitions, known) for item in value]
    return value


def find(
    identifiers: Iterable[str], contents: Mapping[str, bytes], words: bool = False
) -> Iterator[str]:
    """Yield the names of contents that have an identifier; `words`: as a whole word."""
    for name, content in contents.items():
        for text in (identifier.encode() for identifier in identifiers):
            word = rb"(?<!\w)" + re.escape(text) + rb"(?!\w)"
            if text in content and (not words or re.search(word, content)):
                yield name
                break
