"""pipeline: the stages from raw data to a champion, one after the other."""

import json

from .evaluate import evaluate
from .make_dataset import make_dataset
from .project import Project
from .promote import promote
from .train import train
from .workspace import replace_text


def pipeline(project: Project) -> None:
    """Run data, train, evaluate and promote; write a summary to reports/pipeline.json.

    Raises:
        GateRefused: the challenger does not become the champion.
        UserError: parameters, data or an address must be fixed first.
    """
    make_dataset(project)
    train(project)
    evaluation = evaluate(project)
    version = promote(project)
    summary = {
        "stages": {name: round(seconds, 2) for name, seconds in project.console.seconds.items()},
        "scores": [score.model_dump() for score in evaluation.scores],
        "champion": {"version": version},
    }
    replace_text(project.workspace.reports / "pipeline.json", json.dumps(summary, indent=2))
