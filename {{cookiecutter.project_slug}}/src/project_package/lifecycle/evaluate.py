"""evaluate: score the challenger on the test rows and write what people read about it."""

from ..bundle import PARAMS, Bundle
from ..contract import Columns, Files
from ..errors import UserError
from ..onnx_model import Predictor
from ..model_store import CHALLENGER, EVIDENCE
from .document import Document, number
from .scoring import BASELINE, MODEL, NAIVE, Evaluation, Predictions, assess, digest
from .project import Project
from .registry import EVALUATION, Version
from .report import card, render
from .workspace import replace_text


def evaluate(project: Project) -> Evaluation:
    """Evaluate the challenger: add scores, report and model card to the run that trained it.

    From then on the store has it, so that a server may try it in the shadow.

    Raises:
        UserError: there is no challenger, or its test rows cannot be had.
    """
    version = challenger(project)
    bundle = project.registry.bundle(version)
    use_case = project.use_case
    with project.console.step("evaluate") as progress:
        rows = test_rows(project, bundle)
        progress(0.2)
        predictions = _contenders(project, version, bundle, rows)
        progress(0.3)
        evaluation = assess(use_case, rows, predictions)
        progress(0.7)
        words, figures = use_case.words(rows, predictions), use_case.figures(rows, predictions)
        about = use_case.about(use_case.params.model_validate_json(bundle.assets[PARAMS]))
        document = Document(about, bundle.manifest, evaluation, figures, words)
        with project.tracking.resume(version.run) as run:
            run.metrics({f"test.{score.name}": score.model for score in evaluation.scores})
            run.files(_write(project, document), EVIDENCE)
            progress(0.9)
            for figure in document.figures:
                run.figure(figure)
    with project.workspace.lock():
        project.registry.challenge(version)
    _show(project, version, evaluation)
    return evaluation


def challenger(project: Project) -> Version:
    """Find the challenger.

    Raises:
        UserError: there is none.
    """
    version = project.registry.find(CHALLENGER)
    if version is None:
        raise UserError("There is no challenger: run `ml train` first.")
    return version


def test_rows(project: Project, bundle: Bundle) -> Columns:
    """Give the test rows that a bundle was made beside.

    Raises:
        UserError: its data set is gone, or the parameters of today give other rows.
    """
    dataset = project.workspace.dataset(bundle.manifest.data)
    rows = project.use_case.split(project.params, dataset.path).test
    if digest(rows) != bundle.manifest.test:
        raise UserError(
            "These parameters give other test rows than the model was made beside: put them back "
            f"as they were ({PARAMS} in its bundle has them), or run `ml train` again."
        )
    return rows


def _contenders(project: Project, version: Version, bundle: Bundle, rows: Columns) -> Predictions:
    simple = project.registry.bundle(version, BASELINE)
    return {
        MODEL: Predictor(bundle, project.use_case.api).predict(rows),
        BASELINE: Predictor(simple, project.use_case.api).predict(rows),
        NAIVE: project.use_case.naive(rows),
    }


def _write(project: Project, document: Document) -> Files:
    evaluation = document.evaluation.model_dump_json(indent=2)
    texts = {"report.html": render(document), "card.md": card(document), EVALUATION: evaluation}
    for name, text in texts.items():
        replace_text(project.workspace.reports / name, text)
    return {name: text.encode() for name, text in texts.items()}


def _show(project: Project, version: Version, evaluation: Evaluation) -> None:
    rows = []
    for score in evaluation.scores:
        others = (score.baseline, score.naive, score.ceiling)
        model = f"{number(score.model)} ± {number(score.spread)}"
        rows.append((score.label, model, *map(number, others)))
    header = ("metric", "model", "baseline", "naive", "ceiling")
    project.console.table(f"Version {version.number} on {evaluation.rows:,} rows", header, rows)
    project.console.say(f"Report: {project.workspace.reports / 'report.html'}")
