"""The search: out of fold, seeded, pruned, and going on after a kill."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import TrialState

from project_package.contract import (
    Candidate,
    Columns,
    Fold,
    Hyperparameters,
    Metric,
    Suggest,
)
from project_package.errors import UserError
from project_package.lifecycle.search import Search, open_storage, out_of_fold
from project_package.lifecycle.train import code_of

METRIC = Metric("m", "M", lambda _, outputs: float(outputs["score"].mean()))
FOLDS = tuple(Fold({"x": np.array([10.0 * n])}, {"x": np.array([10.0 * n + 5])}) for n in range(3))
RESUMED = """
import os, signal, sys
from pathlib import Path
from runpy import run_path
file, folder, deadly = sys.argv[1:]
tests = run_path(file)
storage = tests["open_storage"](f"sqlite:///{folder}/optuna.db")
tests["search"](storage).run(tests["Recorder"](Path(folder, "fits"), int(deadly)).candidate(), int)
"""


def space(suggest: Suggest) -> Hyperparameters:
    return {"a": suggest.suggest_float("a", 0, 1), "b": suggest.suggest_int("b", 1, 9)}


@dataclass(frozen=True)
class Recorder:
    """A candidate that writes down every fit, and dies at one of them."""

    file: Path
    deadly: int = -1

    def candidate(self) -> Candidate[Any]:
        return Candidate("fake", {"a": 0.5, "b": 5}, space, self.fit, self.predict, self.export)

    def fit(self, rows: Columns, settings: Hyperparameters, seed: int) -> Hyperparameters:
        with self.file.open("a") as file:
            file.write(f"{rows['x'][0]:g} {settings['a']} {settings['b']} {seed}\n")
        if len(self.fits()) == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return settings

    def predict(self, model: Hyperparameters, _: Columns) -> Columns:
        return {"score": np.array([-((float(model["a"]) - 0.3) ** 2)])}

    def export(self, *_: object) -> bytes:
        return b""

    def fits(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []


@pytest.fixture
def memory() -> BaseStorage:
    return InMemoryStorage()


def search(storage: BaseStorage, **changes: Any) -> Search:
    return replace(Search(METRIC, FOLDS, 7, 8, storage, "study"), **changes)


def trials(storage: BaseStorage) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="study/fake", storage=storage).trials


def test_the_first_trial_is_the_known_good_one_and_each_ticks(
    memory: BaseStorage, tmp_path: Path
) -> None:
    ticks: list[int] = []
    search(memory).run(Recorder(tmp_path / "fits").candidate(), lambda: ticks.append(1))
    assert trials(memory)[0].params == {"a": 0.5, "b": 5}
    assert len(trials(memory)) == len(ticks) == 8


def test_the_choice_is_the_best_trial_with_its_folds(memory: BaseStorage, tmp_path: Path) -> None:
    choice = search(memory).run(Recorder(tmp_path / "fits").candidate(), lambda: None)
    done = [trial for trial in trials(memory) if trial.state == TrialState.COMPLETE]
    best = max(done, key=lambda trial: float(trial.value or -1))
    assert choice.settings == best.params
    assert choice.folds == choice.trials[best.number] == tuple(best.user_attrs["folds"])
    assert choice.score == pytest.approx(best.value)


def test_the_same_seed_gives_the_same_choice(tmp_path: Path) -> None:
    recorders = [Recorder(tmp_path / name) for name in ("one", "two", "other")]
    for recorder, seed in zip(recorders, (7, 7, 8), strict=True):
        search(InMemoryStorage(), seed=seed).run(recorder.candidate(), lambda: None)
    one, two, other = ([line.rsplit(maxsplit=1)[0] for line in r.fits()] for r in recorders)
    assert one == two
    assert one != other


def test_a_resumed_search_repeats_no_draw(memory: BaseStorage, tmp_path: Path) -> None:
    for trials_ in (3, 6, 9):
        search(memory, trials=trials_).run(Recorder(tmp_path / "fits").candidate(), lambda: None)
    drawn = [trial.params["a"] for trial in trials(memory)]
    assert len(set(drawn)) == len(drawn) == 9


def test_a_search_in_parts_is_the_search_in_one_go(memory: BaseStorage, tmp_path: Path) -> None:
    for part in (3, 9):
        search(memory, trials=part).run(Recorder(tmp_path / "one").candidate(), lambda: None)
    whole = InMemoryStorage()
    search(whole, trials=9).run(Recorder(tmp_path / "two").candidate(), lambda: None)
    assert [t.params for t in trials(memory)] == [t.params for t in trials(whole)]


def test_another_code_is_another_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kind").mkdir()
    (tmp_path / "kind" / "__init__.py").write_text("from .data import Own")
    (tmp_path / "kind" / "data.py").write_text("class Own: pass")
    monkeypatch.syspath_prepend(tmp_path)
    params = import_module("kind").Own
    before = code_of(params)
    assert before == code_of(params)
    (tmp_path / "kind" / "model.py").write_text("MAX_BIN = 4")
    assert code_of(params) != before


def test_a_candidate_without_a_space_is_tried_once(memory: BaseStorage, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "fits")
    choice = search(memory).run(replace(recorder.candidate(), space=None), lambda: None)
    assert choice.settings == {"a": 0.5, "b": 5}
    assert len(recorder.fits()) == len(FOLDS)


def test_a_worse_trial_is_pruned_before_its_last_fold(memory: BaseStorage, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "fits")
    choice = search(memory, trials=16).run(recorder.candidate(), lambda: None)
    states = [trial.state for trial in trials(memory)]
    assert states.count(TrialState.PRUNED) > 0
    assert len(recorder.fits()) < 16 * len(FOLDS)
    assert sum(map(len, choice.trials.values())) == len(recorder.fits())


def test_a_metric_that_is_better_when_lower_is_minimised(
    memory: BaseStorage, tmp_path: Path
) -> None:
    lower, fake = replace(METRIC, higher_is_better=False), Recorder(tmp_path / "fits").candidate()
    choice = search(memory, metric=lower).run(fake, lambda: None)
    done = [trial.value for trial in trials(memory) if trial.state == TrialState.COMPLETE]
    assert choice.score == pytest.approx(min(value for value in done if value is not None))


def test_a_fold_is_scored_on_rows_it_was_not_fitted_on(tmp_path: Path) -> None:
    seen: list[tuple[float, float]] = []

    def predict(model: float, rows: Columns) -> Columns:
        seen.append((model, rows["x"][0]))
        return {}

    fake = replace(
        Recorder(tmp_path).candidate(), fit=lambda rows, *_: rows["x"][0], predict=predict
    )
    for fold in FOLDS:
        out_of_fold(fake, {}, fold, 7)
    assert seen == [(0, 5), (10, 15), (20, 25)]


@pytest.mark.parametrize("deadly", [1, 8])
def test_a_killed_search_goes_on_where_it_stopped(tmp_path: Path, deadly: int) -> None:
    command = [sys.executable, "-c", RESUMED, __file__, str(tmp_path), str(deadly)]
    assert subprocess.run(command, check=False).returncode == -9
    storage = open_storage(f"sqlite:///{tmp_path}/optuna.db")
    kept = [trial for trial in trials(storage) if trial.state.is_finished()]
    search(storage, trials=4).run(Recorder(tmp_path / "fits").candidate(), lambda: None)
    done = [trial for trial in trials(storage) if trial.state.is_finished()]
    assert (len(kept), len(done)) == (deadly // len(FOLDS), 4)
    assert [trial.params for trial in done[: len(kept)]] == [trial.params for trial in kept]
    assert {"a": 0.5, "b": 5} in [trial.params for trial in done]


def test_workers_may_share_a_database_server(postgres: str, tmp_path: Path) -> None:
    storage = open_storage(postgres.replace("postgresql:", "postgresql+psycopg:"))
    search(storage, trials=3).run(Recorder(tmp_path / "fits").candidate(), lambda: None)
    assert len(trials(open_storage(postgres.replace("postgresql:", "postgresql+psycopg:")))) == 3


def test_a_finished_search_fits_nothing_more(memory: BaseStorage, tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "fits")
    one = search(memory).run(recorder.candidate(), lambda: None)
    fits = len(recorder.fits())
    assert search(memory).run(recorder.candidate(), lambda: None) == replace(
        one, candidate=recorder.candidate()
    )
    assert len(recorder.fits()) == fits


@pytest.mark.parametrize("address", ["nowhere://studies", "sqlite:////no/such/folder/optuna.db"])
def test_a_database_that_cannot_be_used_is_named(address: str) -> None:
    with pytest.raises(UserError, match=f"The search database {address} cannot be used"):
        open_storage(address)
