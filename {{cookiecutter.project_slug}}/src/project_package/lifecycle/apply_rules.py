"""Apply every rule of the gate to a challenger."""

import json
from collections.abc import Callable
from functools import partial

import numpy as np

from ..bundle import EXAMPLES, Bundle, example_requests
from ..columns import Columns, take
from ..contract.task import predict_requests
from ..contract.training import Progress
from ..errors import require_known
from . import gate
from .gate import Verdict
from .predicted_test_rows import PredictedVersion, kept_predictions
from .project import Project
from .registry import Version
from .scores import BASELINE, MODEL, Evaluation, Slice, score_rows, score_slices


def apply_rules(
    project: Project,
    challenger: PredictedVersion,
    evaluation: Evaluation,
    champion: Version | None,
    progress: Progress,
) -> list[Verdict]:
    """Apply every rule of the gate to a version."""
    training = project.training
    limits = project.params.promote
    bundle = challenger.bundle
    # 1. Compare with no model, the simple baseline and the worst scores to accept.
    kind = "a slice with some of the test rows, but not all"
    require_known("promote.guarded", limits.guarded, kind, (s.name for s in evaluation.slices))
    verdicts = gate.beats(training.goal, evaluation) + gate.worst(evaluation, limits)
    slices = evaluation.slices
    rival = "the simple baseline"
    # 2. Compare with the champion, which takes the place of the baseline, if it knows these rows.
    before = None if champion is None else project.registry.bundle(champion)
    if before and (reason := training.incompatible(before)):
        verdicts.append(Verdict("champion", True, f"not compared, since it {reason}", ""))
    elif champion and before:
        old = champion_predictions(project, champion, before, challenger)
        progress(0.3)
        against_champion, slices = compare_with_champion(project, challenger, old)
        verdicts += against_champion
        rival = "the champion"
    # 3. Check slices, parity, size and time.
    verdicts += gate.slices(training.goal, slices, rival, limits)
    checks = training.checks
    verdicts.append(gate.same_answers(bundle.manifest.parity, limits, checks))
    what, call = call_to_time(project, challenger)
    milliseconds = gate.processor_milliseconds(call, calls=checks.latency_calls)
    timed = f"{what}, in {checks.latency_calls} calls"
    return verdicts + gate.budgets(bundle.megabytes, milliseconds, timed, limits)


def call_to_time(
    project: Project, challenger: PredictedVersion
) -> tuple[str, Callable[[], object]]:
    """Return what the gate times, in words too: the request of an example, or else a row."""
    bundle = challenger.bundle
    examples = json.loads(bundle.files[EXAMPLES])
    if not examples:
        row = take(challenger.splits.test, np.arange(1))
        return "a row with features", partial(challenger.model.predict, row)
    task = project.training.make_task(bundle)
    requests = example_requests(task.request, examples[-1:], challenger.version.number)
    call = partial(predict_requests, task, challenger.model, requests)
    return "a request, features included", call


def champion_predictions(
    project: Project, champion: Version, bundle: Bundle, challenger: PredictedVersion
) -> Columns:
    """Return the champion's predictions of the challenger's test rows.

    They are those that its evaluation kept, if its test rows are the same.
    """
    same = bundle.manifest.test == challenger.bundle.manifest.test
    if same and (kept := kept_predictions(project, champion)):
        return kept[MODEL]
    return project.load(bundle).predict(challenger.splits.test)


def compare_with_champion(
    project: Project, challenger: PredictedVersion, old: Columns
) -> tuple[list[Verdict], tuple[Slice, ...]]:
    """Apply the rules about the champion, whose predictions are `old`; score slices beside it."""
    training = project.training
    limits = project.params.promote
    rows = challenger.splits.test
    new = challenger.predictions[MODEL]
    predictions = {**challenger.predictions, BASELINE: old}
    gain = gate.paired_bootstrap(training, rows, (new, old), limits)
    verdicts = [
        gate.champion(training.goal, gain, limits),
        *gate.losses(score_rows(training, rows, predictions), limits),
        gate.answer_changes(training.answer_changes(old, new), limits),
    ]
    return verdicts, score_slices(training, rows, predictions)
