"""Read parameters from params.toml and `--set`, and list them for the tracked run."""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .errors import UserError, suggest
from .params import Params

ParamsOf = TypeVar("ParamsOf", bound=Params)


def read_params(model: type[ParamsOf], path: Path, changes: Sequence[str] = ()) -> ParamsOf:
    """Read a TOML file and apply `section.key=value` changes; raise UserError for what is wrong."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"There is no {path}: run `ml` in the project's folder.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path.name} is not valid TOML in UTF-8: {error}.") from error
    for change in changes:
        _apply(values, change)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError("\n".join(_explain(model, e) for e in error.errors())) from error


def flatten(params: BaseModel) -> dict[str, Any]:
    """Return every parameter as `section.key` with its value, for the tracked run."""
    return dict(_leaves(params.model_dump(mode="json"), ""))


def _leaves(values: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _apply(values: dict[str, Any], change: str) -> None:
    name, equals, text = change.partition("=")
    if not equals or not name.strip():
        raise UserError(f"--set takes section.key=value, not {change!r}.")
    *sections, key = name.strip().split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise UserError(f"--set {change}: {section} is a value, not a section.")
    try:
        values[key] = tomllib.loads(f"value = {text.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        values[key] = text.strip()  # a bare word is a text


def _explain(model: type[BaseModel], error: ErrorDetails) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        return f"{where} = {error['input']!r}: {error['msg']}."
    return f"{where} is not a parameter: {suggest(where, _names(model, ''))}"


def _names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _names(kind, f"{prefix}{name}.")
