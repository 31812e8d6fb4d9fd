"""The entry point: the one module that imports lifecycle, server and use case.

Each function imports its side when it is called: a server image holds no training library.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..lifecycle.cli import Entry, Quiet, Set, app, open_project, run
from ..settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ..contract import Training
    from ..serving.prediction_log import PredictionLog


def training() -> "Training":
    """Import the training side."""
    from .training import TRAINING

    return TRAINING


def create_app() -> "FastAPI":
    """Create the application; uvicorn calls this in every process."""
    from ..serving.app import create_app
    from .task import make_task

    return create_app(make_task)


def serve(host: str, port: int, workers: int, quiet: bool) -> None:
    """Serve the champion."""
    from ..serving.app import serve

    serve(f"{__package__}.__main__:create_app", host, port, workers, quiet)


def open_log(settings: Settings, root: Path) -> "PredictionLog | None":
    """Open the prediction log."""
    from ..serving.prediction_log import open_log

    return open_log(settings, root)


@app.command(epilog="Example: `ml backfill`")
def backfill(context: typer.Context, changes: Set = None, quiet: Quiet = False) -> None:
    """Store recent events of the data set, so that the server has a history."""
    from ..lifecycle.backfill import backfill as stage

    with open_project(context, changes, quiet) as project:
        stage(project)


def main() -> None:
    """Run `ml`."""
    run(Entry(training, serve, open_log))


if __name__ == "__main__":
    main()
