"""train: search, fit, export, check the export, track and register a challenger."""

import inspect
import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from .. import bundle as bundles
from ..bundle import EXAMPLES, PARAMS, Bundle, Manifest, Parity, sha256
from ..contract import Candidate, Columns, Outcome, Params, Progress, Splits, length, take
from ..errors import GateRefused, UserError
from ..onnx_model import Predictor
from ..model_store import BUNDLE
from . import gate
from .scoring import BASELINE, digest
from .params import flatten
from .project import Project
from .search import Choice, Search, open_storage, out_of_fold
from .tracking import Run, commit
from .workspace import Dataset

PARITY_ROWS = 20_000


def train(project: Project) -> int:
    """Train a challenger on the latest data; give its version.

    Raises:
        GateRefused: the exported graph does not answer as the model it was made from.
    """
    dataset = project.workspace.dataset()
    with project.console.step("train") as progress, project.tracking.run("train") as run:
        run.parameters(flatten(project.params))
        run.dataset(dataset)
        splits = project.use_case.split(project.params, dataset.path)
        choices = _search(project, splits, dataset, progress)
        for choice in choices:
            run.choice(choice, project.use_case.goal.metric)
        metric = project.use_case.metric(project.use_case.goal.metric)
        simple, best = choices[0], max(choices[1:], key=lambda c: metric.gain(c.score, 0.0))
        version = _register(project, splits, dataset, [simple, best], run)
    text = f"Version {version} is {best.candidate.name}, {best.score:.3f} on the folds"
    project.console.say(f"{text}; the simple baseline has {simple.score:.3f}.")
    return version


def _search(project: Project, splits: Splits, dataset: Dataset, progress: Progress) -> list[Choice]:
    use_case, candidates = project.use_case, _candidates(project)
    with project.workspace.lock():
        storage = open_storage(project.settings.studies(project.workspace.root))
    other = ("promote.", "train.")  # they change no trial
    what = {k: v for k, v in flatten(project.params).items() if not k.startswith(other)}
    identity = sha256(json.dumps(what, sort_keys=True).encode() + code_of(use_case.params))
    search = Search(
        metric=use_case.metric(use_case.goal.metric),
        folds=splits.folds,
        seed=project.params.seed,
        trials=project.params.train.trials,
        storage=storage,
        study=f"{project.params.name}/{dataset.digest}/{identity[:8]}",
    )
    total = sum(search.trials if c.space else 1 for c in candidates) + 1  # and the final fit
    done = count(1)
    return [search.run(c, lambda: progress(min(next(done) / total, 1.0))) for c in candidates]


def code_of(params: type[Params]) -> bytes:
    """Give the code of the use case: what another code scored says nothing about this one."""
    folder = Path(inspect.getfile(params)).parent
    return b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))


def _candidates(project: Project) -> list[Candidate[Any]]:
    """Give the simple baseline and the candidates that were asked for; all, when none was."""
    simple, *others = project.use_case.candidates
    chosen, names = project.params.train.candidates, [c.name for c in others]
    if unknown := set(chosen) - set(names):
        raise UserError(
            f"train.candidates: {', '.join(sorted(unknown))} is none of {', '.join(names)}."
        )
    return [simple, *(c for c in others if not chosen or c.name in chosen)]


def _register(
    project: Project, splits: Splits, dataset: Dataset, choices: list[Choice], run: Run
) -> int:
    """Log both bundles and the MLflow model; register last, so that a kill leaves no half version.

    `choices` are the simple baseline and the best.
    """
    simple, best = (_fit(project, splits, dataset, choice) for choice in choices)
    run.files(bundles.pack(simple), BASELINE)
    predictor = Predictor(best, project.use_case.api)
    examples = _examples(project, best, dataset, splits.test)
    more = {EXAMPLES: examples, PARAMS: project.params.model_dump_json(indent=2).encode()}
    run.files(bundles.pack(replace(best, assets={**best.assets, **more})), BUNDLE)
    sample = take(splits.test, np.arange(3))
    inputs = project.use_case.api.encode(sample, predictor.assets)
    model = run.model(best, inputs, predictor.outputs(sample))
    with project.workspace.lock():  # of two at once, the later one is the challenger
        return project.registry.register(model, run.id)


def _fit(project: Project, splits: Splits, dataset: Dataset, choice: Choice) -> Bundle:
    """Fit on the training rows, export, and refuse a graph that answers otherwise."""
    use_case, seed = project.use_case, project.params.seed
    candidate, settings = choice.candidate, choice.settings
    validation = [
        Outcome(fold.valid, out_of_fold(candidate, settings, fold, seed)) for fold in splits.folds
    ]
    model = candidate.fit(splits.train, settings, seed)
    fitted = Outcome(splits.train, candidate.predict(model, splits.train))
    assets = use_case.assets(project.params, fitted, validation)
    manifest = Manifest(
        name=project.params.name,
        candidate=candidate.name,
        settings=dict(settings),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=commit(),
        data=dataset.digest,
        test=digest(splits.test),
    )
    bundle = Bundle(candidate.export(model, splits.train), assets, manifest)
    rows = parity_rows(splits, max(PARITY_ROWS, project.params.promote.min_parity_rows))
    found = _parity(project, bundle, rows, candidate.predict(model, rows))
    return replace(bundle, manifest=manifest.model_copy(update={"parity": found}))


def parity_rows(splits: Splits, count: int) -> Columns:
    """Give that many rows of the test; where it has not so many, training rows too.

    The folds are left out: they repeat training rows, and a row that counts twice shows nothing.
    """
    parts = (splits.test, splits.train)
    rows = {name: np.concatenate([part[name][:count] for part in parts]) for name in splits.test}
    return take(rows, np.arange(min(count, length(rows))))


def _parity(project: Project, bundle: Bundle, rows: Columns, original: Columns) -> Parity:
    predictor = Predictor(bundle, project.use_case.api)
    graph = predictor.outputs(rows)
    decisions, others = (
        project.use_case.api.decode({**graph, **outputs}, rows, predictor.assets)
        for outputs in ({}, original)
    )
    found = gate.parity(graph, original, (decisions, others))
    verdict = gate.same_answers(found, project.params.promote)
    if not verdict.passed:
        raise GateRefused(f"The ONNX graph of {bundle.manifest.candidate}: {verdict.detail}.")
    return found


def _examples(project: Project, bundle: Bundle, dataset: Dataset, rows: Columns) -> bytes:
    """Keep a few requests with their answers: golden examples for server, docs and tests."""
    requests = project.use_case.examples(dataset.path, rows, project.params.train.examples)
    answers = Predictor(bundle, project.use_case.api).answer(requests) if requests else []
    pairs = [
        {"request": request.model_dump(mode="json"), "response": answer}
        for request, answer in zip(requests, answers, strict=True)
    ]
    return json.dumps(pairs, indent=2).encode()
