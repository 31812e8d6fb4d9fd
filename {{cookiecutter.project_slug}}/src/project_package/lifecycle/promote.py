"""promote and rollback: which version is the champion, decided by the gate."""

import json
from collections.abc import Callable
from functools import partial

import numpy as np

from ..bundle import EXAMPLES, Bundle, example_requests, pack
from ..columns import Columns, take
from ..contract.task import Model, predict_requests
from ..contract.training import Progress
from ..errors import GateRefused, require_known
from ..model_store import CHALLENGER
from . import gate
from .evaluate import describe, find_challenger, splits_of, write_report
from .gate import Verdict
from .project import Project
from .registry import Version
from .scoring import BASELINE, MODEL, NAIVE, Slice, score_rows, score_slices


def promote(project: Project) -> int:
    """Make the challenger the champion if it passes every rule of the gate; return its version.

    Raises:
        GateRefused: a rule refused; the message has each such rule with its numbers.
        UserError: there is no challenger, it was not evaluated, its test rows are not available,
            or promote.max_loss or promote.guarded has an unknown name.
    """
    registry, console = project.registry, project.console
    metrics = (metric.name for metric in project.training.metrics)
    require_known("promote.max_loss", project.params.promote.max_loss, "a metric", metrics)
    with project.workspace.lock():  # a second promote waits, and sees the new champion
        version, champion = find_challenger(project), registry.champion()
        if champion is not None and champion.number == version.number:
            console.print(f"Version {version.number} is the champion already.")
            return version.number
        with console.step("promote") as progress:
            verdicts = judge(project, version, champion, progress)
            refused = [verdict for verdict in verdicts if not verdict.passed]
            evaluation = registry.evaluation(version)
            write_report(project, version, describe(project, version, evaluation, tuple(verdicts)))
            if refused:
                registry.store.delete_alias(CHALLENGER)
            else:
                registry.set_champion(version)
    if refused:
        lines = "\n".join(f"  {verdict}" for verdict in refused)
        raise GateRefused(f"Version {version.number} does not become the champion:\n{lines}")
    for verdict in verdicts:
        console.print(f"  {verdict}")
    console.print(f"Version {version.number} is the champion.")
    return version.number


def rollback(project: Project) -> int:
    """Make the previous champion the champion again; return its version. See `Registry`."""
    with project.workspace.lock(), project.console.step("rollback"):
        old, new = project.registry.rollback(project.verify)
    project.console.print(f"Version {new} is the champion again, instead of version {old}.")
    return new


def judge(
    project: Project, version: Version, champion: Version | None, progress: Progress
) -> list[Verdict]:
    """Apply every rule of the gate to a version."""
    training, limits, registry = project.training, project.params.promote, project.registry
    # 1. Read the evaluation, the bundle and its test rows.
    evaluation, bundle = registry.evaluation(version), registry.bundle(version)
    rows, model = splits_of(project, bundle).test, project.load(bundle)
    kind = "a slice with some of the test rows, but not all"
    require_known("promote.guarded", limits.guarded, kind, (s.name for s in evaluation.slices))
    progress(0.2)
    # 2. Compare with no model, the simple baseline and the floor.
    verdicts = gate.beats(training.goal, evaluation, limits)
    slices, rival = evaluation.slices, "the simple baseline"
    # 3. Compare with the champion, which takes the place of the baseline, if it knows these rows.
    before = None if champion is None else registry.bundle(champion)
    if before and (reason := training.incompatible(before)):
        verdicts.append(Verdict("champion", True, f"not compared, since it {reason}", ""))
    elif before:
        new = model.predict(rows)
        old = project.load(before).predict(rows)
        progress(0.3)
        more, slices = compare(project, rows, new, old)
        verdicts, rival = verdicts + more, "the champion"
    # 4. Check slices, parity, size and time.
    verdicts += gate.slices(training.goal, slices, rival, limits)
    candidate = training.candidate(bundle.manifest.candidate)
    verdicts.append(gate.same_answers(bundle.manifest.parity, limits, candidate))
    megabytes = sum(map(len, pack(bundle).values())) / 1e6
    what, call = call_to_time(project, version, bundle, model, rows)
    calls = gate.latency_calls(candidate)
    milliseconds = gate.processor_milliseconds(call, calls=calls)
    return verdicts + gate.budgets(megabytes, milliseconds, f"{what}, in {calls} calls", limits)


def call_to_time(
    project: Project, version: Version, bundle: Bundle, model: Model, rows: Columns
) -> tuple[str, Callable[[], object]]:
    """Return what the gate times, and in words: an example's request, or else a row."""
    examples = json.loads(bundle.files[EXAMPLES])
    if not examples:
        return "a row with features", partial(model.predict, take(rows, np.arange(1)))
    task = project.training.make_task(bundle)
    requests = example_requests(task.request, examples[-1:], version.number)
    return "a request, features included", partial(predict_requests, task, model, requests)


def compare(
    project: Project, rows: Columns, new: Columns, old: Columns
) -> tuple[list[Verdict], tuple[Slice, ...]]:
    """Apply the rules about the champion, whose predictions are `old`; score slices beside it."""
    training, limits = project.training, project.params.promote
    predictions = {MODEL: new, BASELINE: old, NAIVE: training.naive(rows)}
    gain = gate.paired_bootstrap(training, rows, (new, old), limits)
    verdicts = [
        gate.champion(training.goal, gain, limits),
        *gate.losses(score_rows(training, rows, predictions), limits),
        gate.changed(training.changed(old, new), limits),
    ]
    return verdicts, score_slices(training, rows, predictions)
