"""promote and rollback: who the champion is, decided by the gate."""

import json
import time
from typing import Any

import numpy as np

from ..bundle import EXAMPLES, pack
from ..contract import Columns, Progress, take
from ..errors import GateRefused
from ..predictor import Predictor
from . import gate
from .evaluate import challenger, test_rows
from .evaluation import BASELINE, MODEL, NAIVE, assess_slices
from .gate import Verdict
from .project import Project
from .registry import Version


def promote(project: Project) -> int:
    """Make the challenger the champion if every rule of the gate passes; give its version.

    Raises:
        GateRefused: a rule said no; the message names each with its numbers.
        UserError: there is no challenger, it was not evaluated, or its test rows cannot be had.
    """
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
                registry.crown(version)
    if refusals:
        lines = "\n".join(f"  {verdict.rule}: {verdict.detail}" for verdict in refusals)
        raise GateRefused(f"Version {version.number} does not become the champion:\n{lines}")
    for verdict in verdicts:
        project.console.say(f"  {verdict.rule}: {verdict.detail}")
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
        mine = predictor.predict(rows)
        theirs = Predictor(registry.bundle(old), use_case.api).predict(rows)
        progress(0.3)
        gain = gate.paired_bootstrap(use_case, rows, (mine, theirs), limits)
        verdicts.append(gate.champion(metric, gain, limits))
        progress(0.6)
        rivals = {MODEL: mine, BASELINE: theirs, NAIVE: use_case.naive(rows)}
        parts = assess_slices(use_case, rows, rivals)  # the champion is what to compare with
    verdicts += gate.slices(metric, parts, limits)
    verdicts.append(gate.same_answers(bundle.manifest.parity, limits))
    megabytes = sum(map(len, pack(bundle).values())) / 1e6
    return verdicts + gate.budgets(megabytes, *_latency(predictor, rows), limits)


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
