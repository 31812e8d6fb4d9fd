"""The stages of the project, in their order: each word is a command and a function.

data      raw rows, checked, and their features
train     search, fit, export, check the export, track and register: a challenger
evaluate  score the challenger on the test beside the baselines; write report and card
promote   let the gate decide whether the challenger becomes the champion
rollback  go back to the champion before
predict   answer a file of raw rows with the champion
remember  give the server's state the past that new requests need

Serving is none of them: it needs nothing from here (see serving/app.py).
"""

import json

from .data import data
from .evaluate import evaluate
from .predict import predict
from .project import Project
from .promote import promote, rollback
from .backfill import remember
from .train import train
from .workspace import replace_text

__all__ = ["data", "evaluate", "pipeline", "predict", "promote", "remember", "rollback", "train"]


def pipeline(project: Project) -> None:
    """Run data, train, evaluate and promote; write what came out to reports/pipeline.json.

    Raises:
        GateRefused: the challenger does not become the champion.
        UserError: parameters, data or an address must be mended first.
    """
    data(project)
    train(project)
    evaluation = evaluate(project)
    version = promote(project)
    summary = {
        "stages": {name: round(seconds, 2) for name, seconds in project.console.seconds.items()},
        "scores": [score.model_dump() for score in evaluation.scores],
        "champion": {"version": version},
    }
    replace_text(project.workspace.reports / "pipeline.json", json.dumps(summary, indent=2))
