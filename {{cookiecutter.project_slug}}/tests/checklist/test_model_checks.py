"""The checks of the model pass on a trained project, and fail on what they look for."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from plain import use_case as plain
from projects import copy_project, open_project

from project_package.bundle import Bundle
from project_package.checklist.model_checks import MODEL
from project_package.checklist.subject import Subject
from project_package.cli import EntryPoint
from project_package.columns import Columns, length
from project_package.contract.checklist import Checklist
from project_package.contract.task import Task
from project_package.contract.training import Outcome
from project_package.lifecycle.pipeline import pipeline
from project_package.lifecycle.project import Project
from project_package.lifecycle.scores import MODEL as MODEL_NAME
from project_package.params import Train

GITHUB = Path(__file__).parents[2] / ".github"


def by_plan(rows: Columns) -> dict[str, Any]:
    return {name: rows["plan"] == name for name in ("basic", "plus")}


FACTS = Checklist(
    ablations=lambda _: iter(()),
    feature_tests="",
    feature_modules=(),
    new_feature_test="",
    groups=by_plan,
)
TRAINING = replace(plain.TRAINING, slices=by_plan, checklist=FACTS)


def git(root: Path, *command: str) -> None:
    author = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    line = ["git", *author, *command]
    subprocess.run(line, cwd=root, check=True, capture_output=True)


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a plain project that was committed before it was trained."""
    root = tmp_path_factory.mktemp("committed")
    plain.make_customers(np.random.default_rng(0), 900).write_csv(root / "customers.csv")
    promote = "[promote]\nmin_parity_rows = 500\nmax_latency_ms = 500\n"
    (root / "params.toml").write_text(f'name = "plain"\ncsv = "{root}/customers.csv"\n{promote}')
    (root / "src").mkdir()
    (root / "src" / "model.py").write_text("DEPTH = 4\n")
    shutil.copytree(GITHUB, root / ".github")
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "--message", "Start")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        pipeline(open_project(plain, root))
    return root


@pytest.fixture
def copy(committed: Path, tmp_path: Path) -> Project:
    """Return a copy of that project, to change."""
    project = open_project(plain, copy_project(committed, tmp_path / "copy"))
    return replace(project, training=TRAINING)


@pytest.fixture
def subject(copy: Project, tmp_path: Path) -> Subject:
    return Subject(copy, None, tmp_path)


def predicting(subject: Subject, mask: NDArray[np.bool_] | bool) -> Subject:
    """Return the subject with predictions that rank some rows in the opposite order."""
    found = subject.predictions["probability"]
    wrong = {"probability": np.where(mask, 1 - found, found)}
    predictions = {**subject.predicted.predictions, MODEL_NAME: wrong}
    vars(subject)["predicted"] = replace(subject.predicted, predictions=predictions)
    return subject


def recorded(subject: Subject, **changes: Any) -> Subject:
    """Return the subject with another manifest."""
    bundle = subject.bundle
    manifest = bundle.manifest.model_copy(update=changes)
    predicted = replace(subject.predicted, bundle=replace(bundle, manifest=manifest))
    vars(subject)["predicted"] = predicted
    return subject


def trained_by(subject: Subject, **changes: Any) -> Subject:
    """Return the subject with other functions of the use case."""
    training = replace(subject.project.training, **changes)
    return replace(subject, project=replace(subject.project, training=training))


@pytest.mark.parametrize("check", ["M2", "M3", "M4", "M5", "M6", "M7"])
def test_checks_find_something_on_a_trained_project(
    project: Project, entry: EntryPoint, tmp_path: Path, check: str
) -> None:
    outcome = MODEL[check](Subject(project, entry.open_events, tmp_path))
    is_of_quality = check in {"M4", "M5", "M6", "M7"}  # a model of few rows may be poor
    assert outcome.passed or is_of_quality, outcome.detail
    assert outcome.detail


@pytest.mark.parametrize("check", MODEL)
def test_checks_pass_on_the_committed_project(subject: Subject, check: str) -> None:
    outcome = MODEL[check](subject)
    assert outcome.passed, outcome.detail


def failure(check: str, subject: Subject) -> str:
    """Return why a check fails."""
    outcome = MODEL[check](subject)
    assert not outcome.passed
    return outcome.detail


def test_code_that_changed_after_training_fails(subject: Subject) -> None:
    root = subject.project.workspace.root
    (root / "src" / "model.py").write_text("DEPTH = 5\n")
    assert "src/model.py changed" in failure("M1", subject)
    git(root, "commit", "--all", "--message", "Deeper")
    assert "src/model.py changed" in failure("M1", subject)


def test_new_file_that_is_not_committed_fails(subject: Subject) -> None:
    (subject.project.workspace.root / "src" / "other.py").write_text("")
    assert "src/other.py" in failure("M1", subject)


@pytest.mark.parametrize("commit", ["", "0" * 40, "0" * 40 + "-dirty"])
def test_model_of_no_commit_fails(subject: Subject, commit: str) -> None:
    assert failure("M1", recorded(subject, commit=commit))


def test_other_parameters_than_those_of_the_file_fail(subject: Subject) -> None:
    project = subject.project
    other = project.params.model_copy(update={"train": Train(trials=3)})
    assert "params.toml" in failure("M1", replace(subject, project=replace(project, params=other)))


def test_changes_that_nobody_reviews_fail(subject: Subject) -> None:
    root = subject.project.workspace.root
    workflow = root / ".github" / "workflows" / "ci.yml"
    workflow.write_text(workflow.read_text().replace("  pull_request:\n", ""))
    git(root, "rm", ".github/pull_request_template.md")
    found = failure("M1", subject)
    assert "template" in found
    assert "no workflow" in found


def test_server_that_sees_other_values_fails(subject: Subject) -> None:
    def make_task(bundle: Bundle) -> Task:
        return replace(plain.make_task(bundle), outputs=("probability",))

    def examples(folder: Path, rows: Columns, count: int) -> list[Any]:
        found = TRAINING.examples(folder, rows, count)
        return [request.model_copy(update={"bill": 0.0}) for request in found]

    skewed = trained_by(subject, make_task=make_task, examples=examples)
    assert "100 in probability" in failure("M2", skewed)


def test_log_that_is_read_as_other_answers_fails(subject: Subject) -> None:
    def read_answers(logged: Columns) -> Outcome:
        return Outcome(logged, {"probability": 1 - logged["probability"]})

    monitoring = replace(plain.MONITORING, read_answers=read_answers)
    assert "ROC AUC is 0.1" in failure("M2", trained_by(subject, monitoring=monitoring))


def test_search_with_too_few_trials_fails(subject: Subject) -> None:
    first, *others = TRAINING.candidates
    searched = replace(first, space=lambda _: first.start)
    found = failure("M3", trained_by(subject, candidates=(searched, *others)))
    assert "by_months 1 of 8" in found


def test_other_settings_than_those_of_the_best_trial_fail(subject: Subject) -> None:
    assert "not those of its best" in failure("M3", recorded(subject, settings={"inputs": 2}))


def test_champion_that_a_candidate_beats_fails(subject: Subject) -> None:
    version = subject.version
    subject.project.registry.client.log_metric(version.run, "valid.roc_auc", 0.5)
    assert "0.500" in failure("M3", subject)


def test_model_that_is_useless_when_it_is_old_fails(subject: Subject) -> None:
    splits = subject.predicted.splits
    wrong = [{**fold.train, "left": 1 - fold.train["left"]} for fold in splits.folds]
    folds = [replace(fold, train=rows) for fold, rows in zip(splits.folds, wrong, strict=True)]
    predicted = replace(subject.predicted, splits=replace(splits, folds=tuple(folds)))
    vars(subject)["predicted"] = predicted
    assert "that model gains -" in failure("M4", subject)


def test_champion_that_is_worse_than_an_old_model_fails(subject: Subject) -> None:
    assert "fresh data gain -" in failure("M4", predicting(subject, True))


def test_champion_that_the_baseline_beats_fails(subject: Subject) -> None:
    score = subject.evaluation.scores[0]
    worse = score.model_copy(update={"model": 0.1})
    vars(subject)["evaluation"] = subject.evaluation.model_copy(update={"scores": (worse,)})
    assert "0.100 against" in failure("M5", subject)


def test_slice_that_the_baseline_predicts_better_fails(subject: Subject) -> None:
    found = failure("M6", predicting(subject, subject.test["plan"] == "plus"))
    assert "1 of 2" in found
    assert "plus" in found


def test_group_that_the_model_does_not_help_fails(subject: Subject) -> None:
    found = failure("M7", predicting(subject, subject.test["plan"] == "basic"))
    assert "1 of 2" in found
    assert "basic" in found


@pytest.mark.parametrize("check", ["M6", "M7"])
def test_parts_that_are_too_small_to_be_scored_fail(subject: Subject, check: str) -> None:
    def nobody(rows: Columns) -> dict[str, Any]:
        return {"first": np.arange(length(rows)) < 10}

    facts = replace(FACTS, groups=nobody)
    assert "50 rows" in failure(check, trained_by(subject, slices=nobody, checklist=facts))
