"""Search: try settings of each candidate on the folds, which hold no test row.

Trials are drawn in generations of a fixed width, and the fits of a generation run at once. The
random numbers of a trial depend on the seed, its number and the trials of earlier generations, so
the same data and parameters give the same choice, however many processes fit. Only this process
writes the database, and only trials that are finished: a search that was killed continues where it
stopped, and draws what it would have drawn.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from ..contract.training import Candidate, Choice, Metric, Run
from ..errors import UserError
from ..settings import redacted
from .cluster import Runs
from .fits import (
    FOLD_STEPS,
    Show,
    TrialFit,
    TrialScore,
    direction,
    fit_trial,
    new_study,
    run_fits,
)


@dataclass
class Drawn:
    """A trial of a generation: its settings are known, and the scores of the folds are added."""

    candidate: Candidate
    stored: optuna.Study
    """The study in the database."""
    generation: optuna.Study
    """A copy in memory, with the trials of earlier generations and those of this one."""
    trial: optuna.Trial
    scores: list[float] = field(default_factory=list)
    epochs: list[tuple[int, int, Mapping[str, float]]] = field(default_factory=list)
    """Fold, number and scores of each epoch."""
    pruned: bool = False

    def add(self, result: TrialScore) -> None:
        """Add the next fold; prune the trial when it is worse than those of earlier generations."""
        fold = len(self.scores)
        for epoch, scores in result.epochs:
            self.epochs.append((fold, epoch, scores))
            if "score" in scores:
                self.trial.report(scores["score"], fold * FOLD_STEPS + epoch)
        if result.score is None:
            self.pruned = True
            return
        self.scores.append(result.score)
        self.trial.report(float(np.mean(self.scores)), (fold + 1) * FOLD_STEPS - 1)
        self.pruned = self.trial.should_prune()

    def finish(self) -> FrozenTrial:
        """Return the finished trial."""
        self.trial.set_user_attr("folds", self.scores)
        self.trial.set_user_attr("epochs", self.epochs)
        if self.pruned:
            return self.generation.tell(self.trial, state=TrialState.PRUNED)
        return self.generation.tell(self.trial, float(np.mean(self.scores)))


@dataclass(frozen=True)
class Search:
    """What every trial needs."""

    metric: Metric
    source: bytes
    """What reads the folds: see `fits.read_splits`."""
    folds: int
    seed: int
    trials: int
    storage: optuna.storages.BaseStorage
    study: str
    """Name of data, metric, parameters and code; not of the number of trials: more continue it."""
    width: int = 1
    """How many trials are drawn from the same earlier ones."""
    runs: Runs = lambda _: map
    lock: AbstractContextManager[object] = field(default_factory=nullcontext)
    """Entered for what two processes that share the storage must not do at once."""
    show: Show = lambda *_: None

    def run(
        self, candidates: Sequence[Candidate], done: Callable[[Candidate, FrozenTrial], None]
    ) -> list[Choice]:
        """Search candidates; `done` is called after each trial."""
        pairs = [(candidate, self._open(candidate)) for candidate in candidates]
        for parallel in (None, False, True):
            group = [pair for pair in pairs if pair[0].parallel == parallel]
            run = self.runs(parallel)
            while drawn := [one for pair in group for one in self._draw(*pair)]:
                # Of trials that run one after the other, a kill loses only the current one.
                for part in ([one] for one in drawn) if run is map else (drawn,):
                    self._fit(run, part)
                    for one in part:
                        done(one.candidate, self._store(one))
        return [_best(*pair) for pair in pairs]

    def wanted(self, candidate: Candidate) -> int:
        """Return how many trials a candidate gets."""
        return self.trials if candidate.space else 1

    def stored(self, candidate: Candidate) -> tuple[int, Choice | None]:
        """Return how many trials of a candidate are finished, and the best; run none."""
        try:
            study = optuna.load_study(study_name=self._name(candidate), storage=self.storage)
        except KeyError:  # there was no search
            return 0, None
        return len(study.trials), _best(candidate, study) if study.trials else None

    def _name(self, candidate: Candidate) -> str:
        return f"{self.study}/{self.width}/{candidate.name}"

    def _open(self, candidate: Candidate) -> optuna.Study:
        with self.lock:
            return optuna.create_study(
                storage=self.storage,
                study_name=self._name(candidate),
                direction=direction(self.metric),
                load_if_exists=True,
            )

    def _draw(self, candidate: Candidate, stored: optuna.Study) -> Iterator[Drawn]:
        """Draw the trials of the current generation that are not finished."""
        finished = stored.trials
        first = len(finished) // self.width * self.width
        study = new_study(self.metric, finished[:first])
        for number in range(first, min(first + self.width, self.wanted(candidate))):
            seed = np.random.SeedSequence((self.seed, number)).generate_state(1)[0]
            study.sampler = optuna.samplers.TPESampler(seed=int(seed), n_startup_trials=5)
            if number == 0:
                study.enqueue_trial(dict(candidate.start))
            trial = study.ask()
            settings = candidate.space(trial) if candidate.space else candidate.start
            trial.set_user_attr("settings", dict(settings))
            if number >= len(finished):
                yield Drawn(candidate, stored, study, trial)

    def _store(self, drawn: Drawn) -> FrozenTrial:
        finished = drawn.finish()
        with self.lock:
            # Another command on the same data may have finished the same trial.
            if len(drawn.stored.trials) == finished.number:
                drawn.stored.add_trial(finished)
        return finished

    def _fit(self, run: Run, drawn: Sequence[Drawn]) -> None:
        """Fit trials on one fold after the other; those that are pruned get no further fold."""
        fit = partial(fit_trial, self.source, self.metric, self.seed)
        for fold in range(self.folds):
            left = [one for one in drawn if not one.pruned]
            tasks = [
                TrialFit(
                    candidate=one.candidate,
                    settings=one.trial.user_attrs["settings"],
                    trial=one.trial.number,
                    fold=fold,
                    reported=one.generation.trials[one.trial.number].intermediate_values,
                    earlier=tuple(one.generation.get_trials(states=(TrialState.COMPLETE,))),
                )
                for one in left
            ]
            for one, result in zip(left, run_fits(run, fit, tasks, self.show), strict=True):
                one.add(result)


def _best(candidate: Candidate, study: optuna.Study) -> Choice:
    best = study.best_trial.user_attrs
    return Choice(candidate, best["settings"], tuple(best["folds"]))


def open_storage(address: str) -> optuna.storages.BaseStorage:
    """Open or create the database of the studies, in one process at a time, or raise UserError."""
    try:
        return optuna.storages.RDBStorage(address)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"The search database {redacted(address)} cannot be used: {reason}"
        ) from error
