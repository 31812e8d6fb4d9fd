"""evaluate: score the challenger on the test rows and write what people read about it."""

from typing import Any

from .. import bundle as bundles
from ..contract import Columns
from ..errors import UserError
from ..predictor import Predictor
from . import report
from .card import card
from .evaluation import CONTENDERS, MODEL, NAIVE, Evaluation, assess
from .evaluation import BASELINE as SIMPLE
from .project import Project
from .registry import BASELINE, BUNDLE, CHALLENGER, EVALUATION, EVIDENCE, Version


def evaluate(project: Project) -> Evaluation:
    """Evaluate the challenger: log scores, report and model card to the run that trained it.

    Raises:
        UserError: there is no challenger, or its data set is gone.
    """
    version = challenger(project)
    bundle = project.registry.bundle(version)
    with project.console.step("evaluate") as progress:
        dataset = project.workspace.dataset(bundle.manifest.data)
        rows = project.use_case.split(project.params, dataset.path).test
        progress(0.2)
        predictions = predict_all(project, version, rows)
        progress(0.4)
        evaluation = assess(project.use_case, rows, predictions)
        progress(0.6)
        evidence = _evidence(project, version, evaluation, (rows, predictions))
        _log(project, version, evaluation, evidence)
    return evaluation
