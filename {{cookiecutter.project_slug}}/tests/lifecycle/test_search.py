"""The search: out of fold, seeded, pruned, and going on after a kill."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from project_package.contract import Candidate, Columns, Fold, Metric, Settings, Suggest
from project_package.lifecycle.search import Search, out_of_fold

METRIC = Metric("m", "M", lambda _, outputs: float(outputs["score"].mean()))
FOLDS = tuple(Fold({"x": np.array([10.0 * n])}, {"x": np.array([10.0 * n + 5])}) for n in range(3))
RESUMED = """
import os, signal, sys
from pathlib import Path
from runpy import run_path
file, folder, deadly = sys.argv[1:]
tests = run_path(file)
tests["search"](folder).run(tests["Recorder"](Path(folder, "fits"), int(deadly)).candidate(), int)
"""


def space(suggest: Suggest) -> Settings:
    return {"a": suggest.suggest_float("a", 0, 1), "b": suggest.suggest_int("b", 1, 9)}


@dataclass(frozen=True)
class Recorder:
    """A candidate that writes down every fit, and dies at one of them."""

    file: Path
    deadly: int = -1

    def candidate(self) -> Candidate[Any]:
        return Candidate("fake", {"a": 0.5, "b": 5}, space, self.fit, self.predict, self.export)

    def fit(self, rows: Columns, settings: Settings, seed: int) -> Settings:
        with self.file.open("a") as file:
            file.write(f"{rows['x'][0]:g} {settings['a']} {settings['b']} {seed}\n")
        if len(self.fits()) == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return settings

    def predict(self, model: Settings, _: Columns) -> Columns:
        return {"score": np.array([-((float(model["a"]) - 0.3) ** 2)])}

    def export(self, *_: object) -> bytes:
        return b""

    def fits(self) -> list[str]:
        return self.file.read_text().splitlines() if self.file.exists() else []


def search(folder: Any, **changes: Any) -> Search:
    known = Search(METRIC, FOLDS, 7, 6, f"sqlite:///{folder}/optuna.db", "study")
    return replace(known, **changes)


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    storage = f"sqlite:///{folder}/optuna.db"
    return optuna.load_study(study_name="study/fake", storage=storage).trials


def test_the_first_trial_is_the_known_good_one_and_each_ticks(tmp_path: Path) -> None:
    ticks: list[int] = []
    search(tmp_path).run(Recorder(tmp_path / "fits").candidate(), lambda: ticks.append(1))
    assert trials(tmp_path)[0].params == {"a": 0.5, "b": 5}
    assert len(trials(tmp_path)) == len(ticks) == 6


def test_the_choice_is_the_best_trial_with_its_folds(tmp_path: Path) -> None:
    choice = search(tmp_path).run(Recorder(tmp_path / "fits").candidate(), lambda: None)
    done = [t for t in trials(tmp_path) if t.state == optuna.trial.TrialState.COMPLETE]
    best = max(done, key=lambda trial: float(trial.value or -1))
    assert choice.settings == best.params
    assert choice.folds == tuple(best.user_attrs["folds"])
    assert choice.score == pytest.approx(best.value)


def test_the_same_seed_gives_the_same_choice(tmp_path: Path) -> None:
    made = []
    for name, seed in (("one", 7), ("two", 7), ("other", 8)):
        (folder := tmp_path / name).mkdir()
        recorder = Recorder(folder / "fits")
        search(folder, seed=seed, trials=3).run(recorder.candidate(), lambda: None)
        made.append([line.split()[:3] for line in recorder.fits()])
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_a_candidate_without_a_space_is_tried_once(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "fits")
    choice = search(tmp_path).run(replace(recorder.candidate(), space=None), lambda: None)
    assert choice.settings == {"a": 0.5, "b": 5}
    assert len(recorder.fits()) == len(FOLDS)


def test_a_worse_trial_is_pruned_before_its_last_fold(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "fits")
    search(tmp_path, trials=8).run(recorder.candidate(), lambda: None)
    states = [trial.state for trial in trials(tmp_path)]
    assert states.count(optuna.trial.TrialState.PRUNED) > 0
    assert len(recorder.fits()) < 8 * len(FOLDS)


def test_a_metric_that_is_better_when_lower_is_minimised(tmp_path: Path) -> None:
    lower = replace(METRIC, higher_is_better=False)
    choice = search(tmp_path, metric=lower).run(
        Recorder(tmp_path / "fits").candidate(), lambda: None
    )
    values = [t.value for t in trials(tmp_path) if t.value is not None]
    assert choice.score == pytest.approx(min(values))


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
    kept = [trial for trial in trials(tmp_path) if trial.state.is_finished()]
    recorder = Recorder(tmp_path / "fits")
    search(tmp_path).run(recorder.candidate(), lambda: None)
    done = [trial for trial in trials(tmp_path) if trial.state.is_finished()]
    assert (len(kept), len(done)) == (deadly // len(FOLDS), 6)
    assert [trial.params for trial in done[: len(kept)]] == [trial.params for trial in kept]
    assert {"a": 0.5, "b": 5} in [trial.params for trial in done]


def test_a_finished_search_fits_nothing_more(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "fits")
    one = search(tmp_path).run(recorder.candidate(), lambda: None)
    fits = len(recorder.fits())
    two = search(tmp_path).run(recorder.candidate(), lambda: None)
    assert (two.settings, two.folds) == (one.settings, one.folds)
    assert len(recorder.fits()) == fits
