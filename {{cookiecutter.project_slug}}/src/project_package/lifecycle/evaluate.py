"""evaluate: score the challenger on the test rows, and write its report and model card.

The predictions are kept in the run, for `promote`.
"""

import logging
from functools import partial

import mlflow
from mlflow.exceptions import MlflowException

from ..bundle import PARAMS
from ..contract.about import Figure
from ..errors import UserError
from ..model_store import CHALLENGER, EVIDENCE
from ..plot_parts import draw_losses
from ..settings import redacted
from ..summaries import SUMMARY
from .predicted_test_rows import PredictedVersion, predict_version
from .project import Project
from .registry import EVALUATION, Version
from .report import Document, card, extent, headline, picture, render, summarise
from .scores import MODEL, Evaluation, assess, number
from .tracking import read_losses
from .workspace import replace_text

log = logging.getLogger(__name__)


def evaluate(project: Project) -> Evaluation:
    """Evaluate the challenger; add scores, report and card to the run that trained it.

    It is then in the model store, so that a server can run it in shadow mode.

    Raises:
        UserError: there is no challenger, or its test rows are not available.
    """
    version = find_challenger(project)
    with project.console.step("evaluate") as progress:
        # 1. Predict the test rows by the model, the simple baseline and no model.
        predicted = predict_version(project, version)
        progress(0.5)
        # 2. Score the predictions.
        document = describe(project, predicted)
        evaluation = document.evaluation
        progress(0.7)
        # 3. Write report and card, and track all of it.
        write_report(project, version, document)
        scores = {f"test.{score.name}": score.model for score in evaluation.scores}
        scores |= {f"baseline.{score.name}": score.baseline for score in evaluation.scores}
        mlflow.log_metrics(scores, run_id=version.run)
        for figure in document.figures:
            path = f"figures/{figure.name}.svg"
            project.registry.client.log_text(version.run, picture(figure), path)
        # 4. Publish it as the store's challenger.
        with project.workspace.lock():
            project.registry.publish_challenger(version)
        # 5. Show single test rows in MLflow, without which the evaluation is complete.
        show_rows(project, predicted)
    _print_scores(project, version, evaluation)
    return evaluation


def show_rows(project: Project, predicted: PredictedVersion) -> None:
    """Log single test rows to MLflow; if MLflow fails, log a warning."""
    rows = predicted.splits.test
    try:
        project.training.log_rows(predicted.version.run, rows, predicted.predictions[MODEL])
    except MlflowException as error:
        reason = redacted(str(error).partition("\n")[0])
        log.warning("MLflow does not show single test rows, since it failed: %s", reason)


def describe(
    project: Project, predicted: PredictedVersion, evaluation: Evaluation | None = None
) -> Document:
    """Return what report and card say; score the test rows unless the evaluation is known."""
    training = project.training
    bundle = predicted.bundle
    rows = predicted.splits.test
    predictions = predicted.predictions
    about = training.about(type(project.params).model_validate_json(bundle.files[PARAMS]))
    figures = training.figures(rows, predictions)
    if losses := read_losses(project.registry.client, predicted.version.run):
        caption = "The loss after each epoch of the final fit."
        draw = partial(draw_losses, losses=losses)
        figures += (Figure("learning_curves", "How the network learned", caption, draw),)
    return Document(
        about=about,
        manifest=bundle.manifest,
        evaluation=evaluation or assess(training, rows, predictions),
        figures=figures + training.importance(rows, predicted.model),
        summary=training.summary(rows, predictions),
        train=extent(predicted.splits.train, about.train_rows or about.rows),
        test=extent(rows, about.rows),
    )


def write_report(project: Project, version: Version, document: Document) -> None:
    """Write report, card and scores into the folder of reports and the run of the version.

    The version's description in MLflow is the headline, the findings and the rules of the gate.
    """
    client = project.registry.client
    scores = document.evaluation.model_dump_json(indent=2)
    summary = summarise(document).model_dump_json(indent=2)
    files = {"report.html": render(document), "card.md": card(document)}
    files |= {EVALUATION: scores, SUMMARY: summary}
    for name, text in files.items():
        replace_text(project.workspace.reports / name, text)
        client.log_text(version.run, text, f"{EVIDENCE}/{name}")
    rules = (f"- {'passed' if rule.passed else 'refused'}, {rule}" for rule in document.verdicts)
    description = "\n\n".join([headline(document), *document.summary, "\n".join(rules)])
    description = description[:5_000]  # the column of MLflow on PostgreSQL
    client.update_model_version(project.registry.name, str(version.number), description)


def find_challenger(project: Project) -> Version:
    """Return the challenger; raise UserError when there is none."""
    version = project.registry.find_version(CHALLENGER)
    if version is None:
        raise UserError("There is no challenger: run `ml train` first.")
    return version


def _print_scores(project: Project, version: Version, evaluation: Evaluation) -> None:
    rows = []
    for s in evaluation.scores:
        model = f"{number(s.model)} ± {number(s.spread, s.model)}"
        rows.append((s.label, model, *map(number, (s.baseline, s.naive, s.ceiling))))
    header = ("metric", "model", "baseline", "no model", "best possible")
    project.console.table(f"Version {version.number} on {evaluation.rows:,} rows", header, rows)
    project.console.print(f"Report: {project.workspace.reports / 'report.html'}")
