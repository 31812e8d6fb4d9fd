"""Choose: search settings of each candidate; fit the baseline and the best of the candidates."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from optuna.trial import FrozenTrial

from ..contract.training import Candidate, Choice, Fitted, Progress, Splits
from ..errors import MissingColumn, UserError, require_known
from .cluster import Runs, open_cluster
from .fits import ChoiceFit, fit_choice, run_fits
from .project import Project
from .search import Search, open_storage
from .tracking import log_choice, log_epoch, log_trial
from .workspace import Dataset


@dataclass(frozen=True)
class Chosen:
    """A choice, fitted on the training rows of each fold, and last on all training rows."""

    choice: Choice
    fits: tuple[Fitted, ...]


def choose(
    project: Project, dataset: Dataset, source: bytes, splits: Splits, progress: Progress
) -> tuple[Chosen, Chosen]:
    """Return the simple baseline and the best choice, or a combination of choices, fitted.

    Raises:
        UserError: the parameters name an unknown candidate, or a feature is not in the data set.
    """
    training = project.training
    metric = training.metric
    searching = open_search(project, dataset, source, len(splits.folds))
    with open_cluster(project.settings) as runs:
        try:
            tried = search(project, replace(searching, runs=runs), progress)
        except MissingColumn as error:
            raise UserError(
                f"The data set {dataset.digest} has no column {error}: when features have changed, "
                "run `ml data` again."
            ) from error
        simple, *others = tried
        choices = [*others, *training.combine(splits.folds, metric, tried)]
        best = max(choices, key=lambda choice: metric.gain(choice.score, 0.0))
        log_choice(best, metric.name)
        return fit(project, simple, searching, runs), fit(project, best, searching, runs)


def search(project: Project, searching: Search, progress: Progress) -> list[Choice]:
    """Search the baseline, then the candidates to try; return the best settings of each."""
    candidates = candidates_to_try(project)
    total = sum(map(searching.wanted, candidates)) + 1  # and the final fit
    done = count(1)

    def finish(candidate: Candidate, trial: FrozenTrial) -> None:
        log_trial(project.tracking.experiment, candidate.name, trial, searching.metric.name)
        progress(min(next(done) / total, 1.0))

    return searching.run(candidates, finish)


def candidates_to_try(project: Project) -> list[Candidate]:
    """Return the simple baseline, then the others that the parameters name, or all of them."""
    chosen = project.params.train.candidates
    simple, *others = project.training.candidates
    require_known("train.candidates", chosen, "a candidate", (c.name for c in others))
    return [simple, *(c for c in others if not chosen or c.name in chosen)]


def open_search(project: Project, dataset: Dataset, source: bytes = b"", folds: int = 0) -> Search:
    """Open the search of a data set, with the trials that it has; it fits if it gets the folds."""
    with project.workspace.lock():
        storage = open_storage(project.settings.studies(project.workspace.root))
    metric = project.training.metric
    return Search(
        metric=metric,
        source=source,
        folds=folds,
        seed=project.params.seed,
        trials=project.params.train.trials,
        width=project.params.train.width,
        storage=storage,
        lock=project.workspace.lock(),
        study=f"{project.params.name}/{dataset.digest}/{metric.name}/{project.identity[:8]}",
        show=lambda task, epoch, scores: project.console.epoch(str(task), epoch, scores),
    )


def fit(project: Project, choice: Choice, searching: Search, runs: Runs) -> Chosen:
    """Fit a choice; show and log the epochs of a network."""
    candidate = choice.candidate
    folds = (*range(searching.folds), None)
    tasks = [ChoiceFit(candidate, choice.settings, fold) for fold in folds]

    def show(task: ChoiceFit, epoch: int, scores: Mapping[str, float]) -> None:
        project.console.epoch(str(task), epoch, scores)
        log_epoch(epoch, scores, task.fold)

    function = partial(fit_choice, searching.source, searching.seed)
    results = run_fits(runs(candidate.parallel), function, tasks, show)
    return Chosen(choice, tuple(result.fitted for result in results))
