"""A promotion by the whole gate: what it says, what it keeps and what stops it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from project_package.bundle import EXAMPLES, Bundle, unpack
from project_package.contract import Metric, Progress, length
from project_package.errors import GateRefused, UserError
from project_package.lifecycle.console import Console
from project_package.lifecycle.project import Project
from project_package.lifecycle.promote import promote
from project_package.lifecycle.registry import Registry, Version
from project_package.model_store import BUNDLE, CHALLENGER


@dataclass
class Heard(Console):
    """A console that keeps what it was told."""

    lines: list[str] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def say(self, text: str) -> None:
        self.lines.append(text)

    @contextmanager
    def step(self, _: str) -> Iterator[Progress]:
        yield self.shares.append


RULES = [
    "goal", "naive", "baseline", "champion", "metric", "changed", "slice", "parity", "size",
    "latency",
]  # fmt: skip


def limited(project: Project, **limits: Any) -> Project:
    """Change limits of the gate."""
    promote = project.params.promote.model_copy(update=limits)
    return replace(project, params=project.params.model_copy(update={"promote": promote}))


def description(project: Project) -> str:
    """Give what MLflow keeps with the challenger."""
    found = project.registry.client.get_model_version(project.params.name, "2").description
    return str(found or "")


def test_a_promotion_says_every_rule_and_how_far_it_is(
    retrained: Path, clone: Callable[[Path], Project]
) -> None:
    project = replace(clone(retrained), console=(heard := Heard()))
    promote(limited(project, max_loss={project.use_case.goal.metric: 0}))
    rules = [line.split(":")[0].split()[0] for line in heard.lines[:-1]]
    assert list(dict.fromkeys(rules)) == RULES
    assert heard.lines[-2].endswith("ms for a request, features included")
    assert heard.shares == sorted(heard.shares)
    assert len(heard.shares) >= 3


def test_what_the_rules_said_is_kept_with_the_version(
    retrained: Path, clone: Callable[[Path], Project]
) -> None:
    project = replace(clone(retrained), console=(heard := Heard()))
    promote(limited(project, reason="the new price list"))
    assert description(project).splitlines() == [f"- {line.strip()}" for line in heard.lines[:-1]]
    assert "or more for a reason: the new price list" in description(project)


def all_change(project: Project) -> Project:
    """Let a use case take every answer for another."""
    other = replace(project.use_case, changed=lambda old, _: np.ones(length(old), np.bool_))
    return replace(project, use_case=other)


def test_a_promotion_that_changes_too_many_answers_needs_a_reason(
    retrained: Path, clone: Callable[[Path], Project]
) -> None:
    project = limited(all_change(clone(retrained)), max_changed=0.3)
    with pytest.raises(GateRefused, match=r"changed: 100% of the rows .* 30% may"):
        promote(project)
    assert description(project) == ""
    assert project.registry.store.pointer(CHALLENGER) is None
    assert promote(limited(project, reason="the new price list")) == 2


def ageing(project: Project) -> Project:
    """Add a metric of which the champion has one more: it is scored after the challenger."""
    calls = count()
    age = Metric("age", "Age", lambda *_: float(next(calls)))
    use_case = replace(project.use_case, metrics=(*project.use_case.metrics, age))
    return replace(project, use_case=use_case)


def test_a_limited_metric_is_compared_with_the_champion(
    retrained: Path, clone: Callable[[Path], Project]
) -> None:
    project = ageing(clone(retrained))
    with pytest.raises(GateRefused, match=r"metric age: Age .* against .*, may lose 0\.9"):
        promote(limited(project, max_loss={"age": 0.9}))
    assert promote(limited(project, max_loss={"age": 1.1})) == 2


def test_a_limit_of_a_metric_that_there_is_not_is_refused(project: Project) -> None:
    name = project.use_case.goal.metric
    strange = limited(project, max_loss={f"{name}s": 0.1})
    with pytest.raises(UserError, match=f'"{name}s" is no metric; did you mean "{name}"'):
        promote(strange)


def test_without_an_example_the_time_of_finished_features_is_told(
    retrained: Path, clone: Callable[[Path], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    def bare(registry: Registry, version: Version) -> Bundle:
        bundle = unpack(registry.files(version, BUNDLE))
        return replace(bundle, assets={**bundle.assets, EXAMPLES: b"[]"})

    monkeypatch.setattr(Registry, "bundle", bare)
    with pytest.raises(GateRefused, match="ms of 1e-09 ms for a row of finished features"):
        promote(limited(clone(retrained), max_latency_ms=1e-9))
