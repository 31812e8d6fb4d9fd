"""train: search, fit, compare the bundle with the fitted model, and register a challenger."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pkgutil import resolve_name
from typing import Any

import mlflow
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression

from ..bundle import EXAMPLES, PARAMS, Bundle, Manifest, make_bundle, pack
from ..columns import Columns, concatenate, digest, length, take
from ..contract.checks import Checks
from ..contract.task import predict_requests
from ..contract.training import Fitted, Outcome, Splits
from ..errors import GateRefused, UserError
from ..model_store import BUNDLE
from ..params import Promote
from ..read_params import flatten
from ..reference import REFERENCE, Calibration, describe
from . import gate
from .choose import Chosen, choose
from .fits import read_splits, source_of
from .project import Project
from .scores import BASELINE
from .tracking import commit, log_dataset, log_files, log_model
from .workspace import Dataset

PARITY_ROWS = 20_000
"""On how many rows a bundle is compared with its fitted model, by default."""


def train(project: Project) -> int:
    """Train a challenger on the latest data set; return its version.

    Raises:
        GateRefused: the model loaded from the bundle does not predict as the fitted model.
        UserError: there is no data set, or the parameters name an unknown candidate.
    """
    params = project.params
    dataset = project.workspace.dataset()
    training = project.training
    tracked = project.tracking.run("train", project.overview)
    with project.console.step("train") as progress, tracked as run:
        # 1. Read and split.
        mlflow.log_params({k: v for k, v in flatten(params).items() if "promote." not in k})
        source = source_of(training, params, dataset.path)
        splits = read_splits(source)
        require_parity_rows(splits, training.checks, params.promote)  # before it takes time
        log_dataset(dataset, splits)
        # 2. Search settings of each candidate, and fit the baseline and the best candidate.
        simple, best = choose(project, dataset, source, splits, progress)
        # 3. Pack them: each bundle must predict as its model.
        baseline = build_bundle(project, splits, dataset, simple)
        bundle = build_bundle(project, splits, dataset, best)
        # 4. Add the distribution of the test rows, and a few of them as requests with answers.
        bundle = add_reference(project, bundle, splits.test)
        bundle = add_examples(project, bundle, dataset, splits.test)
        # 5. Log both bundles, and one as the MLflow model.
        log_files(pack(baseline), BASELINE)
        log_files(pack(bundle), BUNDLE)
        model = log_model(bundle, training)
        mlflow.set_tag("use_case", training.make_task(bundle).name)
        # 6. Register, last: a kill before this leaves no incomplete version.
        with project.workspace.lock():
            version = project.registry.register(model, project.overview)
            project.registry.register_prompts(bundle.files, run)
    read_splits.cache_clear()
    project.console.print(
        f"Version {version} is {best.choice.candidate.name}: {training.metric.label} "
        f"{best.choice.score:.3f} on the folds; the simple baseline has {simple.choice.score:.3f}."
    )
    return version


def build_bundle(project: Project, splits: Splits, dataset: Dataset, chosen: Chosen) -> Bundle:
    """Pack a choice that is fitted on each fold and on all rows; quantise it if that costs little.

    Raises:
        GateRefused: the bundle does not predict as the fitted model.
    """
    choice = chosen.choice
    manifest = Manifest(
        name=project.params.name,
        candidate=choice.candidate.name,
        settings=dict(choice.settings),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit(),
        data=dataset.digest,
        test=digest(splits.test),
    )
    compared = parity_rows(splits, project.training.checks, project.params.promote)

    def build(parts: Sequence[Fitted], fitted: Fitted) -> tuple[Bundle, Outcome]:
        rows = [fold.valid for fold in splits.folds]
        predictions = [model.predict(part) for model, part in zip(parts, rows, strict=True)]
        outcome = Outcome(concatenate(rows), concatenate(predictions))
        finished = project.training.finish(project.params, fitted, splits.train, outcome)
        return check_bundle(project, manifest, finished, compared), outcome

    # The validation rows of the folds set thresholds and the like.
    *of_folds, fitted = chosen.fits
    full = build(of_folds, fitted)
    quantise = choice.candidate.quantise
    if quantise is None or full[0].large:  # an int8 graph has all of its weights
        return full[0]
    # Quantise the same models. Projects without networks lack the module that compares them.
    small = [quantise(model, f.train) for model, f in zip(of_folds, splits.folds, strict=True)]
    choose = resolve_name(f"{__package__}.choose_quantised:choose")
    bundle: Bundle = choose(project, full, build(small, quantise(fitted, splits.train)))
    return bundle


def check_bundle(
    project: Project, manifest: Manifest, finished: Fitted, compared: Columns
) -> Bundle:
    """Pack a finished model; raise GateRefused if the loaded bundle predicts something else."""
    params = project.params
    checks = project.training.checks
    contents = {**finished.files(), PARAMS: params.model_dump_json(indent=2).encode()}
    bundle = make_bundle(contents, manifest, project.store.add_large)
    loaded = project.load(bundle).predict(compared)
    parity = gate.parity(loaded, finished.predict(compared), project.training.export_differs)
    verdict = gate.same_answers(parity, params.promote, checks)
    if not verdict.passed:
        raise GateRefused(f"The bundle of {manifest.candidate} is not its fitted model: {verdict}.")
    return replace(bundle, manifest=manifest.model_copy(update={"parity": parity}))


def require_parity_rows(splits: Splits, checks: Checks, promote: Promote) -> None:
    """Raise UserError if there are too few rows to compare a bundle on."""
    total = length(splits.test) + length(splits.train)
    least = gate.least_parity_rows(checks, promote)
    if total < least:
        raise UserError(
            f"There are {total:,} rows to compare the bundle with the fitted model, and {least:,} "
            "are required: use more data, or lower promote.min_parity_rows."
        )


def parity_rows(splits: Splits, checks: Checks, promote: Promote) -> Columns:
    """Return rows of the test, then of training: as many as the checks allow, or all."""
    count = checks.max_parity_rows
    if count is None:
        count = max(PARITY_ROWS, promote.min_parity_rows)
    first = [take(rows, slice(count)) for rows in (splits.test, splits.train)]
    return take(concatenate(first), slice(count))


def add_reference(project: Project, bundle: Bundle, rows: Columns) -> Bundle:
    """Add how the monitored values of rows are distributed, for `ml monitor`."""
    training = project.training
    predictions = project.load(bundle).predict(rows)
    task = training.make_task(bundle)
    monitored = task.monitored(rows, predictions)
    monitoring = training.monitoring
    curves: tuple[Calibration, ...] = ()
    if monitoring and monitoring.probabilities:
        curves = calibrations(monitoring.probabilities(predictions), rows[monitoring.target])
    reference = describe(monitored, training.periods(rows), curves, task.outputs)
    content = reference.model_dump_json(indent=2).encode()
    return replace(bundle, files={**bundle.files, REFERENCE: content})


def calibrations(probabilities: NDArray[Any], codes: NDArray[Any]) -> tuple[Calibration, ...]:
    """Fit the share of rows that are of a class to its probability, by isotonic regression."""
    curves = []
    for code, column in enumerate(probabilities.T):
        line = IsotonicRegression(out_of_bounds="clip").fit(column, codes == code)
        points = (tuple(values.tolist()) for values in (line.X_thresholds_, line.y_thresholds_))
        curves.append(Calibration(probabilities=next(points), shares=next(points)))
    return tuple(curves)


def add_examples(project: Project, bundle: Bundle, dataset: Dataset, rows: Columns) -> Bundle:
    """Add requests with their answers: for /docs, and to verify the bundle before it serves."""
    task = project.training.make_task(bundle)
    model = project.load(bundle)
    requests = project.training.examples(dataset.path, rows, project.params.train.examples)
    answers = predict_requests(task, model, requests) if requests else []
    pairs = [
        {"request": request.model_dump(mode="json"), "response": response}
        for request, response in zip(requests, answers, strict=True)
    ]
    return replace(bundle, files={**bundle.files, EXAMPLES: json.dumps(pairs, indent=2).encode()})
