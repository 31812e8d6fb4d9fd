"""What a use case promises, and the values that pass between the stages.

A use case is two frozen records of plain functions: `Api` is what the server needs, `UseCase` adds
what the lifecycle needs. Every function takes and gives plain values, so a test swaps one with
`dataclasses.replace`, and the type checker proves the fit where the record is built.

Data moves as `Columns`: named numpy arrays of equal length, one row per instance (an image or a
sequence is a row of an array with more axes). The path of a prediction is the same everywhere:

    rows -> features -> encode -> ONNX -> decode -> predictions
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Columns: TypeAlias = Mapping[str, NDArray[Any]]
At: TypeAlias = slice | NDArray[np.int64]
"""Which rows."""
ALL: At = slice(None)
Past: TypeAlias = Mapping[str, Columns]
"""Earlier rows of each entity, in order of time: timestamp and the columns that are remembered."""
Files: TypeAlias = Mapping[str, bytes]
Hyperparameters: TypeAlias = Mapping[str, float | int | str]
Progress: TypeAlias = Callable[[float], None]

Request = TypeVar("Request", bound=BaseModel)
Response = TypeVar("Response", bound=Mapping[str, object])
Assets = TypeVar("Assets")
Model = TypeVar("Model")


def take(columns: Columns, rows: NDArray[Any]) -> Columns:
    """Give the rows of every column that `rows` (a mask or indices) selects."""
    return {name: values[rows] for name, values in columns.items()}


def length(columns: Columns) -> int:
    """Give the number of rows."""
    return len(next(iter(columns.values())))


class Frozen(BaseModel):
    """A value read from a file or a request: no field changes, no key is unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Train(Frozen):
    """How much the search may try."""

    trials: int = Field(default=8, ge=1, description="trials of each candidate with a space")
    candidates: tuple[str, ...] = Field(default=(), description="candidates to try; none means all")
    examples: int = Field(default=8, ge=0, le=100, description="test rows shown at /docs")


class Promote(Frozen):
    """What a challenger must show before it becomes the champion."""

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
    max_difference: float = Field(default=1e-5, gt=0, description="ONNX to original")
    min_parity_rows: int = Field(default=10_000, ge=1, description="to compare them on")
    max_bundle_mb: float = Field(default=20.0, gt=0, description="size of the bundle, MB")
    max_latency_ms: float = Field(default=10.0, gt=0, description="median time of a request, ms")


class Params(Frozen):
    """The sections of params.toml that every use case has; a use case adds its own."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", description="in the registry")
    seed: int = Field(default=7, ge=0)
    train: Train = Train()
    promote: Promote = Promote()


@dataclass(frozen=True)
class Memory:
    """What the server remembers, so that a request need not carry its past."""

    entities: Mapping[str, tuple[str, ...]]
    """Whose rows are remembered, and which raw columns of them."""
    days: Mapping[str, float]
    """How long the rows of each entity are needed."""
    subject: str
    """The entity that an answer is about: the card, the product, the household."""
    event: type[BaseModel]
    """A row of the past, as POST /v1/events takes it."""
    rows: Callable[[Sequence[Any]], Columns]
    """Turn events into rows as `Api.rows` gives them, with the name of each event."""
    late: tuple[str, ...] = ()
    """Columns of one entity that become known later."""
    label: type[BaseModel] | None = None
    """What becomes known of an event later, as POST /v1/labels takes it."""
    labels: Callable[[Sequence[Any]], Columns] | None = None
    """Turn labels into rows: the name of the event, and the late columns."""


@dataclass(frozen=True)
class Api(Generic[Request, Response, Assets]):
    """What the server needs. It imports numpy and pydantic only."""

    name: str
    request: type[Request]
    response: type[Response]
    assets: Callable[[Files], Assets]
    """Parse the bundle's asset files once, when the bundle is loaded."""
    memory: Memory
    rows: Callable[[Sequence[Request]], Columns]
    """Give the rows that requests are about: timestamp (int64, milliseconds), the name of each
    entity, the raw columns, and `event`: the name to remember the row by, or an empty one."""
    carried: Callable[[Request], Past | None]
    """Give the past that a request carries, empty when it has none; None when the server is to
    remember it."""
    lacks: Callable[[Request, Past], str]
    """Say what a remembered past lacks, as the end of a sentence; nothing when it is enough."""
    features: Callable[[Columns, At], Columns]
    """Compute features at some of the rows, all of which are in order of time, with an integer code
    for each entity."""
    encode: Callable[[Columns, Assets], Columns]
    """Turn features into the named inputs of the ONNX graph."""
    decode: Callable[[Columns, Columns, Assets], Columns]
    """Turn the named outputs of the graph, and the features, into predictions."""
    respond: Callable[[Columns, Assets], list[str]]
    """Write predictions as one response a row, in JSON."""
    signals: Callable[[Columns, Columns], Columns]
    """Pick the numbers of features and predictions that are worth watching."""


class Suggest(Protocol):
    """The part of an Optuna trial that a search space uses."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """Suggest a number from [low, high]."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """Suggest a whole number from [low, high]."""


@dataclass(frozen=True)
class Candidate(Generic[Model]):
    """One family of models: how to search, fit, ask and export it."""

    name: str
    start: Hyperparameters
    """Settings known to be good: the first trial, and the only one when there is no space."""
    space: Callable[[Suggest], Hyperparameters] | None
    """Suggest settings; None when there is nothing to search."""
    fit: Callable[[Columns, Hyperparameters, int], Model]
    """Fit on rows with settings and a seed."""
    predict: Callable[[Model, Columns], Columns]
    """Give the outputs of the fitted model, named as the graph names them."""
    export: Callable[[Model, Columns], bytes]
    """Give the ONNX graph; the training rows are there for what must be measured on them."""


@dataclass(frozen=True)
class Fold:
    """Rows to fit on and later (or other) rows to score on."""

    train: Columns
    valid: Columns


@dataclass(frozen=True)
class Splits:
    """Rows of the final fit, the folds of the search (all before the test), and the test rows."""

    train: Columns
    folds: tuple[Fold, ...]
    test: Columns


@dataclass(frozen=True)
class Outcome:
    """Rows, and what a model's graph gives for them."""

    rows: Columns
    outputs: Columns


@dataclass(frozen=True)
class Metric:
    """One number about predictions on rows."""

    name: str
    label: str
    score: Callable[[Columns, Columns], float]
    """Score predictions on rows."""
    ceiling: Callable[[Columns], float] | None = None
    """The best score these rows allow, where it is not 1."""
    higher_is_better: bool = True

    def gain(self, value: float, other: float) -> float:
        """Say by how much `value` is better than `other`; negative when it is worse."""
        return value - other if self.higher_is_better else other - value


@dataclass(frozen=True)
class Goal:
    """The metric that decides, the score that is the least to accept, and its weighted form."""

    metric: str
    floor: float
    weighted: Callable[[Columns, Columns], Callable[[NDArray[np.float64]], float]]
    """Give the score of predictions as a function of row weights, NaN where it is not defined."""


@dataclass(frozen=True)
class Figure:
    """A picture of the report: `draw` gets a matplotlib Axes."""

    name: str
    title: str
    caption: str
    draw: Callable[[Any], None]


@dataclass(frozen=True)
class About:
    """What people must know about the model, in their words; report and model card say it."""

    title: str
    question: str
    """The question that the model answers."""
    use: str
    """What the answer is for, and who acts on it."""
    misuse: str
    """What it must not be used for."""
    data: str
    """Where the rows come from."""
    limits: tuple[str, ...]


ParamsOf = TypeVar("ParamsOf", bound=Params)


@dataclass(frozen=True)
class UseCase(Generic[ParamsOf, Request, Response, Assets]):
    """What the lifecycle needs. One screen a use case: `use_case.py` builds it."""

    api: Api[Request, Response, Assets]
    params: type[ParamsOf]
    about: Callable[[ParamsOf], About]
    goal: Goal
    metrics: tuple[Metric, ...]

    collect: Callable[[ParamsOf, Path, Progress], None]
    """Write the checked raw rows and their features into a new folder."""
    split: Callable[[ParamsOf, Path], Splits]
    """Read the folder's rows, cut honestly: by time, by group or by document."""
    candidates: tuple[Candidate[Any], ...]
    """The first is the simple baseline that the others must beat."""
    assets: Callable[[ParamsOf, Outcome, Sequence[Outcome]], Files]
    """Make what encode and decode need: from the rows that the model was fitted on (a vocabulary,
    a profile), and from validation rows that it was not fitted on (a threshold)."""

    naive: Callable[[Columns], Columns]
    """Predict without a model."""
    periods: Callable[[Columns], NDArray[Any]]
    """The part of the test (a week, a fold) that each row is in: scores get a spread."""
    units: Callable[[Columns], NDArray[Any]]
    """What the bootstrap draws: rows of one customer or document stay together."""
    changed: Callable[[Columns, Columns], NDArray[np.bool_]]
    """Tell the rows that get another answer from the second predictions than from the first."""
    slices: Callable[[Columns], Mapping[str, NDArray[np.bool_]]]
    """Named parts of the rows on which quality is looked at separately."""
    words: Callable[[Columns, Mapping[str, Columns]], tuple[str, ...]]
    """What the test showed, in sentences for people, from the same values as the figures."""
    figures: Callable[[Columns, Mapping[str, Columns]], tuple[Figure, ...]]
    """Pictures from test rows and the predictions of model, baseline and naive."""

    batch: Callable[[ParamsOf, Path, Path], Columns]
    """Read a file of raw rows and compute their features with the folder's rows as history."""
    table: Callable[[Columns, Columns], Columns]
    """Turn rows and their predictions into the columns of the file that `predict` writes."""
    history: Callable[[Path], Columns]
    """Give the newest of the folder's raw rows, in order of time, as `Memory.rows` gives events: as
    many days of them as a server must remember."""
    examples: Callable[[Path, Columns, int], list[Request]]
    """Build requests for some of the rows, each with the history it needs."""

    def metric(self, name: str) -> Metric:
        """Give the metric of that name."""
        return next(metric for metric in self.metrics if metric.name == name)
