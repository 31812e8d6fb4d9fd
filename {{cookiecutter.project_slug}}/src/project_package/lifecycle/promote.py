"""promote and rollback: who the champion is, decided by the gate."""

import time
from typing import Any

import numpy as np

from ..bundle import Bundle, pack
from ..contract import Columns, take
from ..errors import GateRefused
from ..predictor import Predictor
from . import gate
from .evaluate import challenger, test_rows
from .evaluation import BASELINE, MODEL, NAIVE, assess_slices
from .gate import Verdict
from .project import Project
from .registry import CHAMPION, Version


def promote(project: Project) -> int:
    """Make the challenger the champion if every rule of the gate passes; give its version.

    Raises:
        GateRefused: a rule said no; the message names each with its numbers.
        UserError: there is no challenger, it was not evaluated, or its test rows cannot be had.
    """
    registry, version = project.registry, challenger(project)
    registry.mend()
    old = registry.find(CHAMPION)
    if old is not None and old.number == version.number:
        project.console.say(f"Version {version.number} is the champion already.")
        return version.number
    with project.console.step("promote"):
        verdicts = _verdicts(project, version)
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
    with project.console.step("rollback"):
        old, new = project.registry.rollback()
    project.console.say(f"Version {new} is the champion again; version {old} was.")
    return new


def _verdicts(project: Project, version: Version) -> list[Verdict]:
    use_case, limits = project.use_case, project.params.promote
    metric = use_case.metric(use_case.goal.metric)
    evaluation = project.registry.evaluation(version)
    bundle = project.registry.bundle(version)
    rows = test_rows(project, bundle)
    predictor, parts = Predictor(bundle, use_case.api), evaluation.slices
    verdicts = gate.beats(metric, evaluation, use_case.goal)
    if (old := project.registry.find(CHAMPION)) and old.number != version.number:
        mine = predictor.predict(rows)
        theirs = Predictor(project.registry.bundle(old), use_case.api).predict(rows)
        units = use_case.units(rows)
        difference = gate.paired_bootstrap(use_case.goal, rows, (mine, theirs), units, limits)
        verdicts.append(gate.champion(metric, difference, limits))
        rivals = {MODEL: mine, BASELINE: theirs, NAIVE: use_case.naive(rows)}
        parts = assess_slices(use_case, rows, rivals)  # the champion is what to compare with
    verdicts += gate.slices(metric, parts, limits)
    verdicts.append(gate.same_answers(bundle.manifest.parity, limits.max_difference))
    return verdicts + gate.budgets(*_weigh(predictor, bundle, rows), limits)


def _weigh(
    predictor: Predictor[Any, Any, Any], bundle: Bundle, rows: Columns
) -> tuple[float, float]:
    """Give the size of the bundle in MB and the median time of one row in milliseconds."""
    megabytes = sum(map(len, pack(bundle).values())) / 1e6
    row = take(rows, np.arange(1))
    return megabytes, gate.median_milliseconds(lambda: predictor.predict(row), time.perf_counter)
