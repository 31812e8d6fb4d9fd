"""Promote applies every rule, says how far each is, and keeps that with the version."""

import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from project_package.bundle import EXAMPLES, example_requests
from project_package.columns import Columns, length
from project_package.contract.checks import Checks
from project_package.contract.training import Metric
from project_package.errors import GateRefused, UserError
from project_package.lifecycle.apply_rules import call_to_time
from project_package.lifecycle.evaluate import evaluate
from project_package.lifecycle.predicted_test_rows import read_version
from project_package.lifecycle.project import Project
from project_package.lifecycle.promote import promote
from project_package.lifecycle.rollback import rollback
from project_package.lifecycle.train import train
from project_package.model_store import CHALLENGER, CHAMPION

RULES = ["naive", "baseline", "champion", "metric", "changed", "parity", "size", "latency"]


def limited(project: Project, **limits: Any) -> Project:
    """Change limits of the gate."""
    promote = project.params.promote.model_copy(update=limits)
    return replace(project, params=project.params.model_copy(update={"promote": promote}))


def description(project: Project) -> str:
    found = project.registry.client.get_model_version(project.params.name, "2").description
    return str(found or "")


def test_every_rule_is_kept_with_the_version(candidate: Project) -> None:
    assert promote(limited(candidate, max_loss={"roc_auc": 0}, reason="new prices")) == 2
    start = "- passed, "
    lines = [line for line in description(candidate).splitlines() if line.startswith(start)]
    assert [line.removeprefix(start).split(":")[0].split()[0] for line in lines] == RULES
    assert lines[-1].endswith("for a request, features included, in 150 calls")
    assert "more for this reason: new prices" in lines[RULES.index("changed")]


def test_report_and_card_have_the_outcome_of_every_rule(candidate: Project) -> None:
    with pytest.raises(GateRefused):
        promote(limited(candidate, max_bundle_mb=1e-9))
    for name in ("report.html", "card.md"):
        text = (candidate.workspace.reports / name).read_text(encoding="utf-8")
        assert "The gate refused the model" in text
        assert "MB of 1e-09 MB" in text
    assert promote(candidate) == 2
    stored = candidate.store.fetch(2, "evidence")
    for name in ("report.html", "card.md"):
        text = (candidate.workspace.reports / name).read_text(encoding="utf-8")
        assert "The model passed every rule of the gate" in text
        assert stored[name] == text.encode()


def test_too_many_changed_answers_need_a_reason(candidate: Project) -> None:
    def all_change(old: Columns, _: Columns) -> NDArray[np.bool_]:
        return np.ones(length(old), np.bool_)

    training = replace(candidate.training, answer_changes=all_change)
    project = limited(replace(candidate, training=training), max_changed=0.3)
    with pytest.raises(GateRefused, match=r"changed: 100% of the rows .* 30% are allowed"):
        promote(project)
    assert "- refused, changed: 100% of the rows" in description(project)
    assert project.store.pointer(CHALLENGER) is None
    assert promote(limited(project, reason="the new price list")) == 2


def test_limited_metric_is_compared_with_the_champion(candidate: Project) -> None:
    calls = count()  # the champion is scored second, and has one more
    age = Metric("age", "Age", lambda *_: float(next(calls)))
    training = replace(candidate.training, metrics=(*candidate.training.metrics, age))
    project = replace(candidate, training=training)
    with pytest.raises(GateRefused, match=r"metric age: Age .* against .*; it may lose 0\.9"):
        promote(limited(project, max_loss={"age": 0.9}))
    assert promote(limited(project, max_loss={"age": 1.1})) == 2


def test_champion_of_other_rows_is_not_compared(copy: Project) -> None:
    first = copy.store.load(CHAMPION)[1].digest
    training = replace(copy.training, incompatible=lambda b: "reads x" * (b.digest == first))
    params = copy.params.model_copy(update={"seed": 8})
    other = replace(copy, training=training, params=params)
    train(other)
    evaluate(other)
    assert promote(other) == 2
    assert "champion: not compared, since it reads x" in description(other)
    with pytest.raises(UserError, match="The model reads x, unlike the project now: run"):
        rollback(other)


def test_guarded_slice_needs_some_of_the_rows_but_not_all(candidate: Project) -> None:
    def slices(rows: Columns) -> Mapping[str, Any]:
        months = rows["months"]
        return {"new": months < 9, "everyone": months > 0, "nobody": months < 0}

    project = replace(candidate, training=replace(candidate.training, slices=slices))
    train(project)
    assert [part.name for part in evaluate(project).slices] == ["new"]
    known = "is not a slice with some of the test rows, but not all"
    for name, near in (("nwe", 'did you mean "new"?'), ("everyone", "there are new."),
                       ("nobody", "there are new.")):  # fmt: skip
        with pytest.raises(UserError) as refusal:
            promote(limited(project, guarded=(name,)))
        assert str(refusal.value) == f'promote.guarded: "{name}" {known}; {near}'
    assert project.store.pointer(CHALLENGER) is not None
    assert promote(limited(project, guarded=("new",))) == 3


def test_new_model_store_gets_its_champion(candidate: Project, tmp_path: Path) -> None:
    settings = candidate.settings.model_copy(update={"model_store": str(tmp_path / "bucket")})
    moved = replace(candidate, settings=settings)
    assert promote(moved) == moved.store.load("champion")[0] == 2
    before = moved.store.pointer("champion")
    assert promote(moved) == 2
    assert moved.store.pointer("champion") == before


def test_checks_limit_parity_rows_and_timed_calls(copy: Project) -> None:
    training = replace(copy.training, checks=Checks(max_parity_rows=100, latency_calls=2))
    project = limited(replace(copy, training=training), min_parity_rows=10_000)
    train(project)
    evaluate(project)
    assert promote(project) == 2
    rules = description(project)
    assert "on 100 rows of 100 required" in rules
    assert rules.endswith("for a request, features included, in 2 calls")
    with pytest.raises(UserError, match=r"There are 600 rows .* 10,000 are required"):
        train(limited(copy, min_parity_rows=10_000))


def test_last_example_is_timed(candidate: Project) -> None:
    version = candidate.registry.find_version(2)
    assert version
    challenger = read_version(candidate, version)
    timed: list[Columns] = []

    class Recorder:
        def predict(self, rows: Columns) -> Columns:
            timed.append(rows)
            return challenger.model.predict(rows)

    call_to_time(candidate, replace(challenger, model=Recorder()))[1]()
    task = candidate.training.make_task(challenger.bundle)
    examples = json.loads(challenger.bundle.files[EXAMPLES])
    assert len(examples) > 1
    (row,) = timed
    last = task.to_rows(example_requests(task.request, examples, "2"))
    assert all(row[name].tolist() == values[-1:].tolist() for name, values in last.items())


def test_without_examples_a_row_is_timed(copy: Project) -> None:
    project = limited(copy, max_latency_ms=1e-9)
    options = project.params.train.model_copy(update={"examples": 0})
    project = replace(project, params=project.params.model_copy(update={"train": options}))
    train(project)
    evaluate(project)
    with pytest.raises(
        GateRefused, match="ms of 1e-09 ms of processor time for a row with features, in 150 calls"
    ):
        promote(project)
