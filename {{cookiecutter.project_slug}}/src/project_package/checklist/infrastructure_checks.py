"""The checks of the infrastructure: I1 to I7.

Nothing of the project changes: checks train and publish in the folder of the subject.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np

from ..columns import Columns, length, take
from ..contract.training import Training
from ..lifecycle.choose import Chosen
from ..lifecycle.predicted_test_rows import splits_of
from ..lifecycle.train import add_examples, add_reference, build_bundle
from ..model_store import CHAMPION, Store
from ..monitoring.drill import ADDRESSES
from ..serving.model_loader import is_close
from .checks import Checks, Outcome
from .retraining import choice_of, fit_in_two_parts, package_of, prepare, search_again
from .serving_checks import canary, debugged, examples_of, rolled_back, validated
from .subject import PROGRAM, Subject, ask

FEWEST = 1_000
MOST = 5_000
"""Rows of the batch to learn."""
LEARNED = 0.5
"""Least gain on the batch, as a share of the gain on the test: clusters of few rows vary."""
SECONDS = 600
"""How long the pipeline on tiny data may take."""


def reproducible(subject: Subject) -> Outcome:
    """Train the champion again, and require the same files."""
    old = subject.bundle
    project = prepare(subject)
    dataset = project.workspace.dataset(old.manifest.data)
    splits = splits_of(project, old)
    choice = choice_of(project, old.manifest)
    rows = [*(fold.train for fold in splits.folds), splits.train]
    fits = [choice.candidate.fit(part, choice.settings, project.params.seed) for part in rows]
    new = build_bundle(project, splits, dataset, Chosen(choice, tuple(fits)))
    new = add_reference(project, new, splits.test)
    new = add_examples(project, new, dataset, splits.test)
    names = sorted(new.files.keys() | old.files.keys())
    changed = [name for name in names if new.files.get(name) != old.files.get(name)]
    found = f"other files: {', '.join(changed)}" if changed else f"the same {len(names)} files"
    detail = f"trained again, {old.manifest.candidate} has {found}, digest {new.digest[:12]}"
    return Outcome(new.digest == old.digest, detail)


def learns(subject: Subject) -> Outcome:
    """Fit on few rows: there, the gain must be half of what the champion gains on the test.

    The training of a network is stopped after an epoch and continued; the loss must fall.
    """
    manifest = subject.bundle.manifest
    project = prepare(subject, "batch")  # with few rows, I1 trained on the same ones
    splits = subject.predicted.splits
    search_again(project, manifest)  # raises if a stored trial is repeated
    training = project.training
    rows = some_rows(training, splits.train)
    choice = choice_of(project, manifest)
    fitted, epochs = fit_in_two_parts(choice, rows, project.params.seed)
    metric = training.metric
    gains = [
        metric.gain(metric.score(part, predictions), metric.score(part, training.naive(part)))
        for part, predictions in ((rows, fitted.predict(rows)), (subject.test, subject.predictions))
    ]
    detail = (
        f"fitted on {length(rows)} rows, {manifest.candidate} gains {gains[0]:.3g} in "
        f"{metric.label} on them over no model, and the champion {gains[1]:.3g} on the test; the "
        "search continues from its stored trials"
    )
    passed = gains[0] > 0 and gains[0] >= LEARNED * gains[1]
    if epochs:
        numbers, losses = zip(*epochs, strict=True)
        detail += (
            f"; training was stopped and continued, in epochs {', '.join(map(str, numbers))}, and "
            f"the loss went from {losses[0]:.3g} to {losses[-1]:.3g}"
        )
        passed &= numbers == (*range(1, len(epochs) + 1),) and losses[-1] < losses[0]
    return Outcome(passed, detail)


def some_rows(training: Training, rows: Columns) -> Columns:
    """Return a tenth of the rows, at least `FEWEST` and at most `MOST`; of classes, as many each.

    Rare classes, such as frauds, would be too few to learn otherwise.
    """
    total = length(rows)
    count = min(total, max(FEWEST, min(total // 10, MOST)))
    order = np.random.default_rng(0).permutation(total)
    target = rows.get(training.monitoring.target) if training.monitoring else None
    if target is not None and target.dtype.kind in "bi":
        ranks = np.zeros(total)
        for code in np.unique(target):
            is_of_class = target[order] == code
            ranks[is_of_class] = np.arange(is_of_class.sum())
        order = order[np.argsort(ranks, kind="stable")]
    return take(rows, np.sort(order[:count]))


def whole_pipeline(subject: Subject) -> Outcome:
    """Run the pipeline on the tiny data of the tests, and ask a server for its examples."""
    package = package_of(subject.project)
    root = subject.folder / "pipeline"
    root.mkdir()
    for path in (PROGRAM / "tests" / package.rpartition(".")[2]).glob("*.toml"):
        shutil.copy(path, root / path.name.replace("tiny", "params"))
    own = {name: value for name, value in os.environ.items() if name not in ADDRESSES}
    run = subprocess.run(
        [sys.executable, "-m", f"{package}.entry_point", "pipeline", "--quiet"],
        cwd=root,
        env={**own, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if run.returncode:
        return Outcome(False, f"`ml pipeline` failed: {run.stderr.strip()[-500:]}")
    store = Store(str(root / "store"))
    examples = examples_of(store.load(CHAMPION)[1])
    with replace(subject, folder=root).serve(model_store=store.address) as client:
        answer = ask(client, *(example["request"] for example in examples)).json()
    expected = [example["response"] for example in examples]
    detail = f"a model was trained, evaluated, promoted and served; {len(examples)} requests"
    passed = bool(examples) and is_close(answer["predictions"], expected)
    return Outcome(passed, f"{detail} got {'the expected' if passed else 'other'} answers")


INFRASTRUCTURE: Checks = {
    "I1": reproducible,
    "I2": learns,
    "I3": whole_pipeline,
    "I4": validated,
    "I5": debugged,
    "I6": canary,
    "I7": rolled_back,
}
