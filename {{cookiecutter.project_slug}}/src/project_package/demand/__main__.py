"""The entry point of the use case: for `ml`, and for uvicorn.

Each function imports its side when it is called: a server image holds no training library.
"""

from typing import TYPE_CHECKING

import typer

from ..cli import Entry, Quiet, Set, app, open_project, run

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ..training import Training


def training() -> "Training":
    """Import the training side."""
    from .training import TRAINING

    return TRAINING


def create_app() -> "FastAPI":
    """Create the application; uvicorn calls this in every process."""
    from ..serving.app import create_app
    from .task import make_task

    return create_app(make_task)


@app.command(epilog="Example: `ml backfill`")
def backfill(context: typer.Context, changes: Set = None, quiet: Quiet = False) -> None:
    """Store recent events of the data set, so that the server has a history."""
    from ..lifecycle.backfill import backfill as stage

    with open_project(context, changes, quiet) as project:
        stage(project)


def main() -> None:
    """Run `ml`."""
    run(Entry(training, app=f"{__package__}.__main__:create_app"))


if __name__ == "__main__":
    main()
