"""What the lifecycle adds to the contract: how a use case is trained, scored and described."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from optuna import Trial
from pydantic import BaseModel

from ..bundle import Bundle, Contents
from ..columns import Columns, decisions_differ, length
from .about import About, Figure
from .checks import Checks
from .task import AsyncModel, Model, Task

if TYPE_CHECKING:
    from .checklist import Checklist
    from .monitoring import Monitoring
    from .simulation import Simulation

Hyperparameters: TypeAlias = Mapping[str, float | int | str]
ComparePredictions: TypeAlias = Callable[[Columns, Columns], NDArray[np.bool_]]
"""Return the rows, (rows,), in which the second predictions answer otherwise than the first."""
Weights: TypeAlias = NDArray[np.float64]
"""How much each row counts, (rows,): 2 as much as two equal rows, 0 as if it were left out."""
Progress: TypeAlias = Callable[[float], None]
"""Report the share that is done, from 0 to 1."""
Run: TypeAlias = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""Return what a function returns for each task, in the order of the tasks: `map`, or the same in
several processes. A task is small, can be repeated, and `str(task)` is its name in messages."""
Report: TypeAlias = Callable[[int, Mapping[str, float]], None]
"""Report the scores of an epoch, counted from 0, by name; the search prunes trials by `score`, if
there is one: the metric of the search on rows that were held out of the fit."""


def ignore(_epoch: int, _scores: Mapping[str, float]) -> None:
    """Discard the scores."""


class Fitted(Protocol):
    """A fitted model, before it is loaded from a bundle."""

    def predict(self, rows: Columns) -> Columns:
        """Return predictions; the model loaded from the bundle must return equal columns."""

    def files(self) -> Contents:
        """Return the files from which `Task.load` restores it.

        A path is a large file that other models have too, such as the weights of a trained network:
        the model store has it once, and `Task.load` finds it in `Bundle.large`.
        """


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
    parallel: bool | None = False
    """Whether fits run at once in processes of this machine: not those that use all cores by
    themselves, share what they compute, or take less time than a process to start. None: fits run
    in the process of the command, on a cluster too, since they use its workers themselves."""


@dataclass(frozen=True)
class Choice:
    """The best settings of one candidate and their score on each fold."""

    candidate: Candidate
    settings: Hyperparameters
    folds: tuple[float, ...]

    @property
    def score(self) -> float:
        """Mean over the folds."""
        return float(np.mean(self.folds))


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
    """A score of predictions on rows, each of which can have a weight: the gate resamples them."""

    name: str
    label: str
    compute: Callable[[Columns, Columns, Weights], float]
    """Compute the score (rows, what `prepare` returns, weights); NaN where it is not defined."""
    ceiling: Callable[[Columns], float] | None = None
    """The best score that these rows allow (rows), where it is not 1."""
    higher_is_better: bool = True
    meaning: str = ""
    """What the score says, with its unit, in one sentence."""
    prepare: Callable[[Columns, Columns], Columns] = lambda _, predictions: predictions
    """Compute what takes long and depends on no weight (rows, predictions): the gate does so once
    for hundreds of weights. Otherwise `compute` gets the predictions."""

    def scorer(self, rows: Columns, predictions: Columns) -> Callable[[Weights], float]:
        """Return the score of predictions as a function of the weights of the rows."""
        return partial(self.compute, rows, self.prepare(rows, predictions))

    def score(self, rows: Columns, predictions: Columns, weights: Weights | None = None) -> float:
        """Score predictions on rows by weights, (rows,) or None for all 1."""
        counted = np.ones(length(rows)) if weights is None else weights
        return self.scorer(rows, predictions)(counted)

    def gain(self, value: float, other: float) -> float:
        """Return by how much `value` is better than `other`; negative when it is worse."""
        return value - other if self.higher_is_better else other - value


@dataclass(frozen=True)
class Training:
    """What the lifecycle needs: data, splits, models, scores and texts."""

    make_task: Callable[[Bundle], Task]
    load_data: Callable[[Any, Path, Progress], None]
    """Write validated rows into a new folder (params, folder, progress). `ml data` leaves erased
    entities out of Parquet files that have their ids in the column `Task.entity`."""
    split: Callable[[Any, Path], Splits]
    """Read the rows of a folder and split them by time, by group or at random (params, folder)."""
    candidates: tuple[Candidate, ...]
    """The first is the simple baseline that the others must beat."""
    metrics: tuple[Metric, ...]
    """The first is the goal: it chooses the candidate and decides the promotion."""
    naive: Callable[[Columns], Columns]
    """Predict without a model (rows)."""
    about: Callable[[Any], About]
    """Describe the model for the report and the model card (params)."""
    read_batch: Callable[[Any, Path, Path], Columns]
    """Read a file of raw rows (params, file, folder of the data set) and compute features."""
    batch_table: Callable[[Columns, Columns], Columns]
    """Return the columns of the file that `ml predict` writes (rows, predictions)."""
    examples: Callable[[Path, Columns, int], Sequence[BaseModel]]
    """Build requests without identifiers of the data (folder, test rows, how many at most)."""

    compute_features: Callable[[Any, Path, Progress, Run], None] = lambda *_: None
    """Add to the folder what is computed from several rows (params, folder, progress, how to run
    tasks): it is called when the rows of erased entities have been left out."""
    batch_history: Callable[[Any, Sequence[Path], Path, Path], None] | None = None
    """Write what rows of several files may look back on (params, files, folder of the data set, new
    folder): `read_batch` then gets the new folder instead of that of the data set, so what an
    entity did in another file counts. None if no feature looks back: the folder is then empty."""
    erase: "Mapping[str, Callable[[str], int]]" = field(default_factory=dict)
    """Delete what else the server stores of an entity (id), by its name in the plural; returns how
    much there was."""
    file_reasons: bool = False
    """Whether `batch_table` has reasons of rows with the column `explain`."""
    libraries: tuple[str, ...] = ()
    """Distributions that the model imports beside those of every use case: the requirements of the
    MLflow model name them."""
    prompts: tuple[str, ...] = ()
    """Files of the bundle that are prompts: MLflow's prompt registry has them too."""
    search_metric: Metric | None = None
    """The metric of the search if the goal judges what only `finish` adds, such as a threshold."""
    combine: Callable[[Sequence[Fold], Metric, Sequence[Choice]], Iterable[Choice]] = lambda *_: ()
    """Combine candidates, such as by their mean (folds, metric of the search, best of each: first
    the simple baseline)."""
    finish: Callable[[Any, Any, Columns, Outcome], Fitted] = lambda _, fitted, *__: fitted
    """Add what decisions need, a profile or a threshold: (params, fitted, training rows, outcome of
    the validation rows of all folds)."""
    periods: Callable[[Columns], NDArray[Any]] = lambda rows: np.zeros(length(rows), np.int64)
    """Return the part of the test of each row, such as its week (rows): scores get a spread."""
    pooled: bool = False
    """Whether scores are of all test rows together, not means over the periods."""
    groups: Callable[[Columns], NDArray[Any]] = lambda rows: np.arange(length(rows))
    """Return what the bootstrap draws (rows): those of one customer or document stay together."""
    slices: Callable[[Columns], Mapping[str, NDArray[np.bool_]]] = lambda _: {}
    """Return named parts of the rows on which quality is looked at separately (rows)."""
    export_differs: ComparePredictions = decisions_differ
    """Compare one model in two forms (predictions of the fitted model, those of the model that was
    loaded from its bundle): every row that is returned is a fault, and training stops."""
    answer_changes: ComparePredictions = decisions_differ
    """Compare two models (predictions of the champion, those of the challenger): rows that would
    get another answer are expected, and `promote.max_changed` limits their share."""
    summary: Callable[[Columns, Mapping[str, Columns]], tuple[str, ...]] = lambda *_: ()
    """Return sentences, the first for the headline (test rows, predictions of each by name)."""
    figures: Callable[[Columns, Mapping[str, Columns]], tuple[Figure, ...]] = lambda *_: ()
    """Return pictures of the same (test rows, predictions by name)."""
    judge: Callable[[Any], AsyncModel | None] = lambda _: None
    """Return a model that judges predictions, or None (params). `ml evaluate` gives it the columns
    of the test rows and the model's predictions; the columns that it returns, one value a row, are
    added to these predictions and kept with them."""
    log_rows: Callable[[str, Columns, Columns], None] = lambda *_: None
    """Log to MLflow what it shows of single test rows (id of the run that trained, test rows,
    predictions of the model). `ml evaluate` calls it last; if MLflow fails, it logs a warning."""
    importance: Callable[[Columns, Model], tuple[Figure, ...]] = lambda *_: ()
    """Return pictures of what matters to the loaded model (test rows, model)."""
    checklist: "Checklist | None" = None
    """The features, for `ml checklist`."""
    monitoring: "Monitoring | None" = None
    """How the log says how good the answers were; None if nothing but drift can be seen."""
    simulation: "Simulation | None" = None
    """How traffic is simulated; None if it cannot be."""
    checks: Checks = field(default_factory=Checks)
    """How much of a model is checked."""
    incompatible: Callable[[Bundle], str] = lambda _: ""
    """Return why the model of a bundle cannot predict these rows; empty if it can (bundle)."""

    @property
    def metric(self) -> Metric:
        """The metric of the search: it chooses the candidate."""
        return self.search_metric or self.goal

    @property
    def goal(self) -> Metric:
        """The metric that decides."""
        return self.metrics[0]
