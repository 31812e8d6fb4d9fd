"""promote and rollback: who the champion is, decided by the gate."""

import json
import time
from typing import Any

import numpy as np

from ..bundle import EXAMPLES, pack
from ..contract import Columns, Progress, Promote, take
from ..errors import GateRefused, UserError, near
from ..onnx_model import Predictor
from ..model_store import CHALLENGER
from . import gate
from .evaluate import challenger, test_rows
from .scoring import (
    BASELINE,
    MODEL,
    NAIVE,
    AnyUseCase,
    Predictions,
    assess_slices,
    by_period,
)
from .gate import Verdict
from .project import Project
from .registry import Version


def promote(project: Project) -> int:
    """Make the challenger the champion if every rule of the gate passes; give its version.

    Raises:
        GateRefused: a rule said no; the message names each with its numbers.
        UserError: there is no challenger, it was not evaluated, its test rows cannot be had, or
            promote.max_loss names no metric.
    """
    _refuse_unknown(project.use_case, project.params.promote)
    registry = project.registry
    with project.workspace.lock():  # another promote sees what this one decided
        version, old = challenger(project), registry.champion()
        if old is not None and old.number == version.number:
            project.console.say(f"Version {version.number} is the champion already.")
            return version.number
        with project.console.step("promote") as progress:
            verdicts = _verdicts(project, version, old, progress)
            refusals = [verdict for verdict in verdicts if not verdict.passed]
            if not refusals:
                registry.describe(version, "\n".join(f"- {verdict}" for verdict in verdicts))
                registry.crown(version)
            else:
                registry.store.unpoint(CHALLENGER)
    if refusals:
        lines = "\n".join(f"  {verdict}" for verdict in refusals)
        raise GateRefused(f"Version {version.number} does not become the champion:\n{lines}")
    for verdict in verdicts:
        project.console.say(f"  {verdict}")
    project.console.say(f"Version {version.number} is the champion.")
    return version.number


def rollback(project: Project) -> int:
    """Go back to the champion before; give its version.

    Raises:
        UserError: there is none.
    """
    with project.workspace.lock(), project.console.step("rollback"):
        old, new = project.registry.rollback()
    project.console.say(f"Version {new} is the champion again; version {old} was.")
    return new


def _refuse_unknown(use_case: AnyUseCase, limits: Promote) -> None:
    """Refuse limits of metrics that there are not."""
    names = [metric.name for metric in use_case.metrics]
    for name in limits.max_loss:
        if name not in names:
            raise UserError(f'promote.max_loss: "{name}" is no metric; {near(name, names)}')


def _verdicts(
    project: Project, version: Version, old: Version | None, progress: Progress
) -> list[Verdict]:
    use_case, limits, registry = project.use_case, project.params.promote, project.registry
    metric = use_case.metric(use_case.goal.metric)
    evaluation, bundle = registry.evaluation(version), registry.bundle(version)
    rows = test_rows(project, bundle)
    progress(0.2)
    predictor, parts = Predictor(bundle, use_case.api), evaluation.slices
    verdicts = gate.beats(metric, evaluation, use_case.goal)
    if old is not None:
        theirs = Predictor(registry.bundle(old), use_case.api).predict(rows)
        # The champion is what to compare with.
        rivals = {MODEL: predictor.predict(rows), BASELINE: theirs, NAIVE: use_case.naive(rows)}
        progress(0.3)
        verdicts += _against_champion(use_case, rows, rivals, limits)
        progress(0.6)
        parts = assess_slices(use_case, rows, rivals)
    verdicts += gate.slices(metric, parts, limits)
    verdicts.append(gate.same_answers(bundle.manifest.parity, limits))
    megabytes = sum(map(len, pack(bundle).values())) / 1e6
    return verdicts + gate.budgets(megabytes, *_latency(predictor, rows), limits)


def _against_champion(
    use_case: AnyUseCase, rows: Columns, rivals: Predictions, limits: Promote
) -> list[Verdict]:
    mine, theirs = rivals[MODEL], rivals[BASELINE]
    metric = use_case.metric(use_case.goal.metric)
    gain = gate.paired_bootstrap(use_case, rows, (mine, theirs), limits)
    return [
        gate.champion(metric, gain, limits),
        *gate.losses(by_period(use_case, rows, rivals), limits),
        gate.changed(use_case.changed(theirs, mine), limits),
    ]


def _latency(predictor: Predictor[Any, Any, Any], rows: Columns) -> tuple[float, str]:
    """Give the median time in milliseconds, and of what: of a request, features included."""
    examples = json.loads(predictor.bundle.assets.get(EXAMPLES, b"[]"))
    if not examples:
        row = take(rows, np.arange(1))
        took = gate.median_milliseconds(lambda: predictor.predict(row), time.perf_counter)
        return took, "a row of finished features"
    request = predictor.api.request.model_validate(examples[0]["request"])
    took = gate.median_milliseconds(lambda: predictor.answer([request]), time.perf_counter)
    return took, "a request, features included"
