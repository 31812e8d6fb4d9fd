"""What the lifecycle adds to the contract: how a use case is trained, scored and described."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from optuna import Trial
from pydantic import BaseModel

from ..bundle import Bundle, Files
from ..columns import Columns, choices_differ, length
from .task import Task

Hyperparameters: TypeAlias = Mapping[str, float | int | str]
Predict: TypeAlias = Callable[[Columns], Columns]
Differ: TypeAlias = Callable[[Columns, Columns], NDArray[np.bool_]]
Progress: TypeAlias = Callable[[float], None]
"""Report the share that is done, from 0 to 1."""
Report: TypeAlias = Callable[[int, Mapping[str, float]], None]
"""Report the scores of an epoch, counted from 0, by name; `score` is the metric of the search on
rows that were held out of the fit: the search prunes trials by it."""


def ignore(_epoch: int, _scores: Mapping[str, float]) -> None:
    """Report nowhere."""


def code_of(function: Callable[..., object]) -> bytes:
    """Return the files of the use case that has a function: results of other code do not count.

    Prompts, SQL and other text files count as code.
    """
    folder = Path(inspect.getfile(function)).parent
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return b"".join(path.read_bytes() for path in paths if path.suffix != ".pyc")


class Fitted(Protocol):
    """A fitted model, before it is loaded from a bundle."""

    def predict(self, rows: Columns) -> Columns:
        """Return predictions; the model loaded from the bundle must return equal columns."""

    def files(self) -> Files:
        """Return the files from which `Task.load` restores it."""


class Fit(Protocol):
    """How a candidate is fitted."""

    def __call__(
        self, rows: Columns, settings: Hyperparameters, seed: int, report: Report = ignore, /
    ) -> Fitted:
        """Fit on rows with settings and a seed; a model that is trained in epochs reports each."""


@dataclass(frozen=True)
class Candidate:
    """A family of models: how to search and how to fit it."""

    name: str
    start: Hyperparameters
    """Settings known to be good: the first trial, and the only one without a space."""
    fit: Fit
    space: Callable[[Trial], Hyperparameters] | None = None
    quantise: Callable[[Any, Columns], Fitted] | None = None
    """Make a smaller model of a fitted one, calibrated on training rows."""


@dataclass(frozen=True)
class Fold:
    """Rows to fit on and later (or other) rows to score on."""

    train: Columns
    valid: Columns


@dataclass(frozen=True)
class Splits:
    """Rows of the final fit, the folds of the search, and the test rows, which no fit sees."""

    train: Columns
    folds: tuple[Fold, ...]
    test: Columns


@dataclass(frozen=True)
class Outcome:
    """Rows and the predictions of a fitted model for them."""

    rows: Columns
    predictions: Columns


@dataclass(frozen=True)
class Metric:
    """A score of predictions on rows."""

    name: str
    label: str
    score: Callable[[Columns, Columns], float]
    ceiling: Callable[[Columns], float] | None = None
    """The best score that these rows allow, where it is not 1."""
    higher_is_better: bool = True
    meaning: str = ""
    """What the score says, with its unit, in one sentence."""

    def gain(self, value: float, other: float) -> float:
        """Return by how much `value` is better than `other`; negative when it is worse."""
        return value - other if self.higher_is_better else other - value


@dataclass(frozen=True)
class About:
    """What people must know about the model; report and model card quote it."""

    title: str
    question: str
    use: str
    """What the answer is for, and who acts on it."""
    misuse: str
    data: str
    """Where the rows come from."""
    limits: tuple[str, ...] = ()
    rows: str = "rows"
    """What the rows are, in the plural."""
    periods: str = "periods"
    """What the periods of the test are, in the plural."""
    baselines: str = ""
    """What the simple baseline is, and how the naive answer is found."""
    terms: Mapping[str, str] = field(default_factory=dict)
    """What words in the names of slices mean."""


@dataclass(frozen=True)
class Figure:
    """A picture of the report: `draw` gets a matplotlib Axes."""

    name: str
    title: str
    caption: str
    draw: Callable[[Any], None]


@dataclass(frozen=True)
class Training:
    """What the lifecycle needs: data, splits, models, scores and texts."""

    make_task: Callable[[Bundle], Task]
    load_data: Callable[[Any, Path, Progress], None]
    """Write the validated rows, with their features, into a new folder (params, folder)."""
    split: Callable[[Any, Path], Splits]
    """Read the rows of the folder and split them: by time, by group or at random."""
    candidates: tuple[Candidate, ...]
    """The first is the simple baseline that the others must beat."""
    metrics: tuple[Metric, ...]
    """The first is the goal: it chooses the candidate and decides the promotion."""
    weighted: Callable[[Columns, Columns], Callable[[NDArray[np.float64]], float]]
    """Return the goal's score of predictions as a function of row weights (NaN where undefined)."""
    naive: Callable[[Columns], Columns]
    """Predict without a model."""
    about: Callable[[Any], About]
    """Describe the model for the report and the model card, from the parameters."""
    read_batch: Callable[[Any, Path, Path], Columns]
    """Read a file of raw rows (params, file, folder of the data set) and compute features."""
    batch_table: Callable[[Columns, Columns], Columns]
    """Turn rows and predictions into the columns of the file that `ml predict` writes."""
    examples: Callable[[Path, Columns, int], Sequence[BaseModel]]
    """Build up to so many requests from test rows, without identifiers of the data."""

    search_metric: Metric | None = None
    """The metric of the search if the goal judges what only `finish` adds, such as a threshold."""
    finish: Callable[[Any, Any, Columns, Outcome], Fitted] = lambda _, fitted, *__: fitted
    """Add what decisions need, a profile or a threshold: (params, fitted, training rows, outcome of
    the validation rows of all folds)."""
    periods: Callable[[Columns], NDArray[Any]] = lambda rows: np.zeros(length(rows), np.int64)
    """Return the part of the test (a week, a fold) of each row: scores get a spread."""
    pooled: bool = False
    """Whether scores are of all test rows together, not means over the periods."""
    groups: Callable[[Columns], NDArray[Any]] = lambda rows: np.arange(length(rows))
    """Return what the bootstrap draws: rows of one customer or document stay together."""
    slices: Callable[[Columns], Mapping[str, NDArray[np.bool_]]] = lambda _: {}
    """Return named parts of the rows on which quality is looked at separately."""
    differ: Differ = choices_differ
    """Return the rows in which the bundle decides otherwise than the fitted model."""
    changed: Differ = choices_differ
    """Return the rows that get another answer from the second predictions than from the first."""
    summary: Callable[[Columns, Mapping[str, Columns]], tuple[str, ...]] = lambda *_: ()
    """Return sentences about test rows and the predictions of model, baseline and naive."""
    figures: Callable[[Columns, Mapping[str, Columns]], tuple[Figure, ...]] = lambda *_: ()
    """Return pictures of the same."""
    importance: Callable[[Columns, Predict], tuple[Figure, ...]] = lambda *_: ()
    """Return pictures of what matters to the loaded model, found by predictions of test rows."""
    incompatible: Callable[[Bundle], str] = lambda _: ""
    """Return why a bundle's model cannot predict these rows: `predicts age`; empty if it can."""

    @property
    def goal(self) -> Metric:
        """The metric that decides."""
        return self.metrics[0]
