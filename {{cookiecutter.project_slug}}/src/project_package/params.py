"""Parameters: the sections that every use case has, and how params.toml and `--set` are read."""

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails

from .errors import UserError, near
from .frozen import Frozen


class Train(Frozen):
    """How much the search may try."""

    trials: int = Field(default=8, ge=1, description="trials of each candidate with a space")
    candidates: tuple[str, ...] = Field(default=(), description="candidates to try; none means all")
    examples: int = Field(default=8, ge=0, le=100, description="test rows shown at /docs")


class Promote(Frozen):
    """What a challenger must show before it becomes the champion."""

    floor: float | None = Field(default=None, description="the worst score to accept, if any")
    margin: float = Field(default=0.01, ge=0, description="loss against the champion allowed")
    confidence: float = Field(default=0.9, gt=0.5, lt=1, description="of the bootstrap interval")
    resamples: int = Field(default=200, ge=50, description="of the paired bootstrap")
    slice_margin: float = Field(default=0.05, ge=0, description="loss allowed on a guarded slice")
    guarded: tuple[str, ...] = Field(default=(), description="slices that may not lose more")
    max_loss: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="of other metrics, by name, against the champion"
    )
    max_changed: float = Field(default=1, ge=0, le=1, description="share of answers that change")
    reason: str = Field(default="", description="why more answers may change than that")
    max_difference: float = Field(default=1e-5, gt=0, description="loaded model to fitted model")
    min_parity_rows: int = Field(default=10_000, ge=1, description="to compare them on")
    max_quantisation_loss: float = Field(default=0.01, ge=0, description="of the goal, by int8")
    max_bundle_mb: float = Field(default=20.0, gt=0, description="size of the bundle, MB")
    max_latency_ms: float = Field(default=10.0, gt=0, description="processor time of a request")


class Params(Frozen):
    """The sections of params.toml that every use case has; a use case adds its own."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="in the registry")
    seed: int = Field(default=7, ge=0)
    train: Train = Train()
    promote: Promote = Promote()


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
    return f"{where} is not a parameter: {near(where, _names(model, ''))}"


def _names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _names(kind, f"{prefix}{name}.")
