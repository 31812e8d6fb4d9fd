"""Fits as tasks: of the search, on a fold, and of a choice, on a fold or on all training rows.

A task names its rows, which the process that works on it reads and keeps.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal, TypeAlias

import cloudpickle
import numpy as np
import optuna
from optuna.trial import FrozenTrial

from ..contract.training import (
    Candidate,
    Fitted,
    Hyperparameters,
    Metric,
    Run,
    Splits,
    Training,
    ignore,
)
from ..errors import UserError

optuna.logging.set_verbosity(optuna.logging.ERROR)  # in each process; a failure is raised
FOLD_STEPS = 10_000
"""Steps of a fold in a study: one for each epoch, and the last one for the score of the fold."""
WARM_UP = 3  # epochs before a trial can be pruned: the first scores say little
Show: TypeAlias = Callable[[Any, int, Mapping[str, float]], None]
"""Show the scores of an epoch: (task, epoch, scores)."""
Epochs: TypeAlias = tuple[tuple[int, Mapping[str, float]], ...]
"""Number and scores of each epoch."""


def source_of(training: Training, params: Any, folder: Path) -> bytes:
    """Return what reads and splits the rows of a data set, to be sent with a task."""
    return bytes(cloudpickle.dumps((training.split, params, folder)))


@lru_cache(maxsize=1)
def read_splits(source: bytes) -> Splits:
    """Read and split the rows of a data set, once in a process."""
    split, params, folder = cloudpickle.loads(source)
    splits: Splits = split(params, folder)
    return splits


@dataclass(frozen=True)
class TrialFit:
    """Fit a trial of the search on a fold, and score it there."""

    candidate: Candidate
    settings: Hyperparameters
    trial: int
    fold: int
    reported: Mapping[int, float]
    """Scores on earlier folds, by step."""
    earlier: tuple[FrozenTrial, ...]
    """Trials of earlier generations: their scores decide whether this one is pruned."""

    def __str__(self) -> str:
        """Return the name of the task."""
        return f"{self.candidate.name} trial {self.trial}, fold {self.fold}"


@dataclass(frozen=True)
class TrialScore:
    """The epochs, and the score on the fold; None if the trial is pruned there."""

    epochs: Epochs
    score: float | None


@dataclass(frozen=True)
class ChoiceFit:
    """Fit a choice on the training rows of a fold, or on all of them."""

    candidate: Candidate
    settings: Hyperparameters
    fold: int | None

    def __str__(self) -> str:
        """Return the name of the task."""
        name = self.candidate.name
        return name if self.fold is None else f"{name}, fold {self.fold}"


@dataclass(frozen=True)
class FittedChoice:
    """The epochs, and the fitted model."""

    epochs: Epochs
    fitted: Fitted


def direction(metric: Metric) -> Literal["maximize", "minimize"]:
    """Return the direction of a metric, as Optuna names it."""
    return "maximize" if metric.higher_is_better else "minimize"


def new_study(metric: Metric, trials: Sequence[FrozenTrial]) -> optuna.Study:
    """Create a study in memory with finished trials."""
    pruner = optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=WARM_UP)
    study = optuna.create_study(direction=direction(metric), pruner=pruner)
    study.add_trials(trials)
    return study


def fit_trial(source: bytes, metric: Metric, seed: int, show: Show, task: TrialFit) -> TrialScore:
    """Fit and score; end early when the epochs are worse than those of earlier trials.

    Raises:
        UserError: the metric is not defined on the fold.
    """
    fold = read_splits(source).folds[task.fold]
    trial = new_study(metric, task.earlier).ask()
    for step, score in task.reported.items():
        trial.report(score, step)
    epochs: list[tuple[int, Mapping[str, float]]] = []

    def report(epoch: int, scores: Mapping[str, float]) -> None:
        epochs.append((epoch, dict(scores)))
        show(task, epoch, scores)
        if "score" in scores:
            trial.report(scores["score"], task.fold * FOLD_STEPS + epoch)
            if trial.should_prune():
                raise optuna.TrialPruned

    try:
        fitted = task.candidate.fit(fold.train, task.settings, seed, report)
    except optuna.TrialPruned:
        return TrialScore(tuple(epochs), None)
    score = metric.score(fold.valid, fitted.predict(fold.valid))
    if not np.isfinite(score):
        raise UserError(
            f"{metric.label} is not defined on fold {task.fold}: it may hold no positive row. "
            "Use more data or fewer folds."
        )
    return TrialScore(tuple(epochs), score)


def fit_choice(source: bytes, seed: int, show: Show, task: ChoiceFit) -> FittedChoice:
    """Fit a choice; keep the epochs."""
    splits = read_splits(source)
    rows = splits.train if task.fold is None else splits.folds[task.fold].train
    epochs: list[tuple[int, Mapping[str, float]]] = []

    def report(epoch: int, scores: Mapping[str, float]) -> None:
        epochs.append((epoch, dict(scores)))
        show(task, epoch, scores)

    fitted = task.candidate.fit(rows, task.settings, seed, report)
    return FittedChoice(tuple(epochs), fitted)


def run_fits(
    run: Run, fit: Callable[[Show, Any], Any], tasks: Sequence[Any], show: Show
) -> Iterator[Any]:
    """Yield the results of fits; show epochs at once in this process, else when a fit has ended."""
    if run is map:
        yield from map(partial(fit, show), tasks)
        return
    for task, result in zip(tasks, run(partial(fit, hide), tasks), strict=True):
        for epoch, scores in result.epochs:
            show(task, epoch, scores)
        yield result


def hide(_task: Any, epoch: int, scores: Mapping[str, float]) -> None:
    """Show nothing."""
    ignore(epoch, scores)
