"""The search: scored out of fold, seeded, pruned, and resumed after a kill."""

import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import optuna
import pytest
from machine import run_python
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.trial import TrialState

from project_package.bundle import Files
from project_package.columns import Columns
from project_package.contract.training import (
    Candidate,
    Choice,
    Fold,
    Hyperparameters,
    Metric,
    Splits,
)
from project_package.errors import UserError
from project_package.lifecycle.search import Search, open_storage

METRIC = Metric("m", "M", lambda _, predictions, __: float(predictions["score"].mean()))
FOLDS = tuple(Fold({"x": np.array([10.0 * n])}, {"x": np.array([10.0 * n + 5])}) for n in range(3))
SOURCE = cloudpickle.dumps((lambda *_: Splits({}, FOLDS, {}), None, None))
RESUMED = """
import sys
from pathlib import Path
from runpy import run_path
file, folder, deadly = sys.argv[1:]
tests = run_path(file)
storage = tests["open_storage"](f"sqlite:///{folder}/optuna.db")
tests["search"](storage, tests["Recorder"](Path(folder, "fits"), int(deadly)))
"""


def space(suggest: Any) -> Hyperparameters:
    return {"a": suggest.suggest_float("a", 0, 1), "b": suggest.suggest_int("b", 1, 9)}


@dataclass(frozen=True)
class Constant:
    """A model that is best with a = 0.3."""

    a: float

    def predict(self, _: Columns) -> Columns:
        return {"score": np.array([-((self.a - 0.3) ** 2)])}

    def files(self) -> Files:
        return {}


@dataclass(frozen=True)
class Recorder:
    """A candidate that records every fit, and is killed at one of them."""

    file: Path
    deadly: int = -1

    def candidate(self, **changes: Any) -> Candidate:
        return replace(Candidate("fake", {"a": 0.5, "b": 5}, self.fit, space), **changes)

    def fit(self, rows: Columns, settings: Hyperparameters, seed: int, *_: object) -> Constant:
        with self.file.open("a") as file:
            file.write(f"{rows['x'][0]:g} {settings['a']} {settings['b']} {seed}\n")
        if len(self.fits()) == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return Constant(float(settings["a"]))

    def fits(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []


@pytest.fixture
def memory() -> BaseStorage:
    return InMemoryStorage()


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path / "fits")


def search(storage: BaseStorage, recorder: Recorder, **changes: Any) -> Choice:
    candidate = changes.pop("candidate", recorder.candidate())
    tick = changes.pop("tick", lambda *_: None)
    searching = Search(METRIC, SOURCE, len(FOLDS), 7, 8, storage, "study")
    (choice,) = replace(searching, **changes).run([candidate], tick)
    return choice


def trials(storage: BaseStorage, width: int = 1) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=f"study/{width}/fake", storage=storage).trials


def drawn(storage: BaseStorage, width: int = 1) -> list[dict[str, Any]]:
    return [trial.params for trial in trials(storage, width)]


def test_first_trial_has_the_start_settings(memory: BaseStorage, recorder: Recorder) -> None:
    ticks: list[int] = []
    search(memory, recorder, tick=lambda _, trial: ticks.append(trial.number))
    assert trials(memory)[0].params == {"a": 0.5, "b": 5}
    assert len(trials(memory)) == len(ticks) == 8


@pytest.mark.parametrize("higher", [True, False])
def test_choice_is_the_best_trial(memory: BaseStorage, recorder: Recorder, higher: bool) -> None:
    choice = search(memory, recorder, metric=replace(METRIC, higher_is_better=higher))
    done = [trial for trial in trials(memory) if trial.state == TrialState.COMPLETE]
    best = (max if higher else min)(done, key=lambda trial: float(trial.value or 0))
    assert choice.settings == best.params
    assert choice.folds == tuple(best.user_attrs["folds"])
    assert choice.score == pytest.approx(best.value)


def test_models_are_scored_on_the_validation_rows(memory: BaseStorage, recorder: Recorder) -> None:
    seen: list[float] = []

    def score(rows: Columns, *_: object) -> float:
        seen.append(float(rows["x"][0]))
        return 0.0

    search(memory, recorder, metric=Metric("m", "M", score), trials=1)
    assert seen == [5, 15, 25]
    assert [fit.split()[0] for fit in recorder.fits()] == ["0", "10", "20"]


def test_seed_decides_the_settings(recorder: Recorder) -> None:
    one, same, other = (search(InMemoryStorage(), recorder, seed=seed) for seed in (7, 7, 8))
    assert one.settings == same.settings != other.settings


@pytest.mark.parametrize("width", [1, 4])
def test_resumed_search_draws_as_a_whole_one(
    memory: BaseStorage, recorder: Recorder, width: int
) -> None:
    for count in (3, 6, 9):
        search(memory, recorder, trials=count, width=width)
    search(whole := InMemoryStorage(), recorder, trials=9, width=width)
    assert len({trial.params["a"] for trial in trials(memory, width)}) == 9
    assert drawn(memory, width) == drawn(whole, width)
    fits = len(recorder.fits())
    search(memory, recorder, trials=9, width=width)  # finished: nothing more is fitted
    assert len(recorder.fits()) == fits


def test_candidate_without_space_is_tried_once(memory: BaseStorage, recorder: Recorder) -> None:
    choice = search(memory, recorder, candidate=recorder.candidate(space=None))
    assert choice.settings == {"a": 0.5, "b": 5}
    assert len(recorder.fits()) == len(FOLDS)


@pytest.mark.parametrize("width", [1, 4])
def test_worse_trial_is_pruned(memory: BaseStorage, recorder: Recorder, width: int) -> None:
    search(memory, recorder, trials=16, width=width)
    done = trials(memory, width)
    assert TrialState.PRUNED in [trial.state for trial in done]
    assert len(recorder.fits()) == sum(len(t.user_attrs["folds"]) for t in done) < 16 * len(FOLDS)


def test_metric_without_a_value_is_an_error(memory: BaseStorage, recorder: Recorder) -> None:
    with pytest.raises(UserError, match="M is not defined on fold 0"):
        search(memory, recorder, metric=Metric("m", "M", lambda *_: float("nan")))


@pytest.mark.system
@pytest.mark.parametrize("deadly", [1, 8])
def test_killed_search_continues_where_it_stopped(tmp_path: Path, deadly: int) -> None:
    assert run_python(RESUMED, __file__, tmp_path, deadly).returncode == -9
    storage = open_storage(f"sqlite:///{tmp_path}/optuna.db")
    kept = [trial for trial in trials(storage) if trial.state.is_finished()]
    search(storage, Recorder(tmp_path / "fits"), trials=4)
    done = [trial for trial in trials(storage) if trial.state.is_finished()]
    assert (len(kept), len(done)) == (deadly // len(FOLDS), 4)
    assert [trial.params for trial in done[: len(kept)]] == [trial.params for trial in kept]
    assert {"a": 0.5, "b": 5} in [trial.params for trial in done]


def test_workers_can_share_a_database_server(postgres: str, recorder: Recorder) -> None:
    address = postgres.replace("postgresql:", "postgresql+psycopg:")
    one = open_storage(address)
    other = open_storage(address)
    search(one, recorder, trials=3)
    assert len(trials(other)) == 3
    for storage in (one, other):
        assert isinstance(storage, RDBStorage)
        storage.remove_session()
        storage.engine.dispose()
