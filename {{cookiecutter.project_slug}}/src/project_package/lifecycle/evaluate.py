"""evaluate: score the challenger on the test rows, and write its report and model card."""

import mlflow

from ..bundle import PARAMS, Bundle
from ..contract import Columns
from ..errors import UserError
from ..model_store import CHALLENGER, EVIDENCE
from .inference import run_model
from .project import Project
from .registry import EVALUATION, Version
from .report import Document, canvas, card, number, render
from .scoring import BASELINE, MODEL, NAIVE, Evaluation, assess, digest
from .tracking import log_files
from .workspace import replace_text


def evaluate(project: Project) -> Evaluation:
    """Evaluate the challenger; add scores, report and card to the run that trained it.

    It is then in the model store, so that a server can run it in the shadow.

    Raises:
        UserError: there is no challenger, or its test rows are not available.
    """
    training, version = project.training, challenger(project)
    with project.console.step("evaluate") as progress:
        # 1. Read the bundle and the test rows that its training left out.
        bundle = project.registry.bundle(version)
        rows = test_rows(project, bundle)
        progress(0.2)
        # 2. Predict: the model, the simple baseline, and no model.
        baseline = project.registry.bundle(version, BASELINE)
        predictions = {
            MODEL: run_model(project.load(bundle), rows),
            BASELINE: run_model(project.load(baseline), rows),
            NAIVE: training.naive(rows),
        }
        progress(0.3)
        # 3. Score.
        evaluation = assess(training, rows, predictions)
        progress(0.7)
        # 4. Write report and card.
        params = training.params.model_validate_json(bundle.files[PARAMS])
        document = Document(
            about=training.about(params),
            manifest=bundle.manifest,
            evaluation=evaluation,
            figures=training.figures(rows, predictions),
            summary=training.summary(rows, predictions),
        )
        scores = evaluation.model_dump_json(indent=2)
        files = {"report.html": render(document), "card.md": card(document), EVALUATION: scores}
        for name, text in files.items():
            replace_text(project.workspace.reports / name, text)
        # 5. Track all of it.
        with mlflow.start_run(run_id=version.run):
            mlflow.log_metrics({f"test.{score.name}": score.model for score in evaluation.scores})
            log_files({name: text.encode() for name, text in files.items()}, EVIDENCE)
            for figure in document.figures:
                mlflow.log_figure(canvas(figure), f"figures/{figure.name}.svg")
    # 6. Publish it as the store's challenger.
    with project.workspace.lock():
        project.registry.publish_challenger(version)
    _print_scores(project, version, evaluation)
    return evaluation


def challenger(project: Project) -> Version:
    """Return the challenger; raise UserError when there is none."""
    version = project.registry.find(CHALLENGER)
    if version is None:
        raise UserError("There is no challenger: run `ml train` first.")
    return version


def test_rows(project: Project, bundle: Bundle) -> Columns:
    """Return the test rows that the training of a bundle left out.

    Raises:
        UserError: its data set is gone, or the current parameters select other rows.
    """
    dataset = project.workspace.dataset(bundle.manifest.data)
    rows = project.training.split(project.params, dataset.path).test
    if digest(rows) != bundle.manifest.test:
        raise UserError(
            "These parameters select other test rows than those that this model's training left "
            f"out: restore its parameters ({PARAMS} in its bundle) or run `ml train` again."
        )
    return rows


def _print_scores(project: Project, version: Version, evaluation: Evaluation) -> None:
    rows = []
    for score in evaluation.scores:
        others = (score.baseline, score.naive, score.ceiling)
        model = f"{number(score.model)} ± {number(score.spread)}"
        rows.append((score.label, model, *map(number, others)))
    header = ("metric", "model", "baseline", "naive", "ceiling")
    project.console.table(f"Version {version.number} on {evaluation.rows:,} rows", header, rows)
    project.console.print(f"Report: {project.workspace.reports / 'report.html'}")
