"""Search: try settings of each candidate on the folds, which hold no test row.

The study is in a database: a search that was killed continues where it stopped, and several
workers can share it. The random numbers of a trial depend on the seed and the trial's number, so
the same data and parameters give the same choice, and neither a resumed search nor a second
worker repeats a draw.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import optuna
from sqlalchemy.exc import SQLAlchemyError

from ..contract.training import Candidate, Choice, Fold, Metric
from ..errors import UserError
from ..settings import redacted

FINISHED = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
KNOWN = (*FINISHED, optuna.trial.TrialState.WAITING)
"""Not among them: the trial of a killed search, which stays in the state running."""
FOLD_STEPS = 10_000
"""Steps of a fold in a study: one for each epoch, and the last one for the score of the fold."""
WARM_UP = 3  # epochs before a trial can be pruned: the first scores say little


@dataclass(frozen=True)
class Search:
    """What every trial needs."""

    metric: Metric
    folds: tuple[Fold, ...]
    seed: int
    trials: int
    storage: optuna.storages.BaseStorage
    study: str
    """Name of data, metric, parameters and code; not of the number of trials: more continue it."""
    lock: AbstractContextManager[object] = field(default_factory=nullcontext)
    """Entered for what two processes that share the storage must not do at once."""
    show: Callable[[str, int, Mapping[str, float]], None] = lambda *_: None
    """Show the scores of an epoch: (what is fitted, epoch, scores)."""

    def run(
        self, candidate: Candidate, done: Callable[[Candidate, optuna.trial.FrozenTrial], None]
    ) -> Choice:
        """Search one candidate; `done` is called after each trial."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # a failure is raised
        study = optuna.create_study(
            storage=self.storage,
            study_name=self._name(candidate),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=WARM_UP),
            direction="maximize" if self.metric.higher_is_better else "minimize",
            load_if_exists=True,
        )
        first = None
        with self.lock:  # in SQLite, two processes could take the same waiting trial
            if not any(trial.state in KNOWN for trial in study.trials):
                study.enqueue_trial(dict(candidate.start))
                first = study.ask()
        if first is not None:
            done(candidate, study.tell(first, self._objective(candidate, first)))
        wanted = self.wanted(candidate)
        study.optimize(
            lambda trial: self._objective(candidate, trial),
            n_trials=max(0, wanted - _finished(study)),
            callbacks=[
                lambda _, trial: done(candidate, trial),
                optuna.study.MaxTrialsCallback(wanted, FINISHED),
            ],
        )
        return _best(candidate, study)

    def wanted(self, candidate: Candidate) -> int:
        """Return how many trials a candidate gets."""
        return self.trials if candidate.space else 1

    def stored(self, candidate: Candidate) -> tuple[int, Choice | None]:
        """Return how many trials of a candidate are finished, and the best; run none."""
        try:
            study = optuna.load_study(study_name=self._name(candidate), storage=self.storage)
        except KeyError:  # there was no search
            return 0, None
        return _finished(study), _best(candidate, study)

    def _name(self, candidate: Candidate) -> str:
        return f"{self.study}/{candidate.name}"

    def _objective(self, candidate: Candidate, trial: optuna.Trial) -> float:
        # One sampler for all trials would draw the same settings in every worker and restart.
        seed = np.random.SeedSequence((self.seed, trial.number)).generate_state(1)[0]
        trial.study.sampler = optuna.samplers.TPESampler(seed=int(seed), n_startup_trials=5)
        settings = candidate.space(trial) if candidate.space else candidate.start
        trial.set_user_attr("settings", dict(settings))
        scores: list[float] = []
        epochs: list[tuple[int, int, dict[str, float]]] = []
        trial.set_user_attr("folds", scores)
        trial.set_user_attr("epochs", epochs)

        def report(epoch: int, epoch_scores: Mapping[str, float]) -> None:
            number = len(scores)
            epochs.append((number, epoch, dict(epoch_scores)))
            trial.set_user_attr("epochs", epochs)
            self.show(f"{candidate.name} trial {trial.number}, fold {number}", epoch, epoch_scores)
            if "score" in epoch_scores:
                _prune(trial, epoch_scores["score"], number * FOLD_STEPS + epoch)

        for number, fold in enumerate(self.folds):
            fitted = candidate.fit(fold.train, settings, self.seed, report)
            scores.append(self.metric.score(fold.valid, fitted.predict(fold.valid)))
            if not np.isfinite(scores[-1]):
                raise UserError(
                    f"{self.metric.label} is not defined on fold {number}: it may hold no positive "
                    "row. Use more data or fewer folds."
                )
            trial.set_user_attr("folds", scores)
            _prune(trial, float(np.mean(scores)), (number + 1) * FOLD_STEPS - 1)
        return float(np.mean(scores))


def _finished(study: optuna.Study) -> int:
    return sum(trial.state in FINISHED for trial in study.trials)


def _best(candidate: Candidate, study: optuna.Study) -> Choice:
    best = study.best_trial.user_attrs
    return Choice(candidate, best["settings"], tuple(best["folds"]))


def _prune(trial: optuna.Trial, score: float, step: int) -> None:
    """Report the score of a step; raise TrialPruned when the trial is worse than the others."""
    trial.report(score, step)
    if trial.should_prune():
        raise optuna.TrialPruned


def open_storage(address: str) -> optuna.storages.BaseStorage:
    """Open or create the database of the studies, in one process at a time, or raise UserError."""
    try:
        return optuna.storages.RDBStorage(address)
    except (SQLAlchemyError, ImportError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"The search database {redacted(address)} cannot be used: {reason}"
        ) from error
