"""The command line: `ml <command>`. A command imports its stage when it runs, so help is quick.

Exit codes: 0 done, 1 the gate refused, 2 something that the user can fix.
"""

import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import GateRefused, UserError
from .settings import read

if TYPE_CHECKING:
    from .lifecycle.project import Project

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a parameter for this run."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


app = typer.Typer(
    help="From raw data to a served model, stage by stage.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def open_project(
    context: typer.Context, changes: list[str] | None, quiet: bool
) -> "AbstractContextManager[Project]":
    """Open the project of the working folder."""
    from .lifecycle.project import open_folder

    training, _ = context.obj
    return open_folder(resolve_name(training), changes or (), quiet)


def add_stage(name: str, module: str, summary: str) -> None:
    """Add a command: it opens the project and calls the function `name` of a lifecycle module."""

    @app.command(name, help=summary, epilog=f"Example: `ml {name}`")
    def stage(context: typer.Context, changes: Set = None, quiet: Quiet = False) -> None:
        function = resolve_name(f"{__package__}.lifecycle.{module}:{name}")
        with open_project(context, changes, quiet) as project:
            function(project)


add_stage("data", "data", "Read raw rows, validate them and compute their features.")
add_stage("train", "train", "Search, fit and register a challenger.")
add_stage("evaluate", "evaluate", "Score the challenger beside its baselines and write the report.")
add_stage("promote", "promote", "Make the challenger the champion if it passes the gate.")
add_stage("rollback", "promote", "Make the previous champion the champion again.")
add_stage("pipeline", "pipeline", "Run data, train, evaluate and promote.")
add_stage("models", "doctor", "List the registered versions with their aliases and scores.")
add_stage("doctor", "doctor", "Check the set-up; exit with 2 when something is broken.")


@app.command(epilog="Example: `ml predict today.csv predictions.parquet`")
def predict(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(help="Raw rows: a .parquet or .csv file.")],
    target: Annotated[Path, typer.Argument(help="The file to write: .parquet or .csv.")],
    changes: Set = None,
    quiet: Quiet = False,
) -> None:
    """Predict a file of raw rows with the champion."""
    from .lifecycle.predict import predict as stage

    with open_project(context, changes, quiet) as project:
        stage(project, source, target)


@app.command(epilog="Example: `ml erase C0001234`")
def erase(
    context: typer.Context,
    entity: Annotated[str, typer.Argument(help="The id of a person, a card, a household...")],
    quiet: Quiet = False,
) -> None:
    """Delete what is stored of an entity: its logged predictions, and events if any."""
    from .lifecycle.erase import erase as stage

    with open_project(context, None, quiet) as project:
        stage(project, entity)


@app.command(epilog="Example: `ml serve --port 8080`, then open /docs")
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address [default: SERVE_HOST, or loopback].")] = "",
    port: Annotated[
        int, typer.Option(help="Port; 0 picks a free one [default: SERVE_PORT, or 8000].")
    ] = -1,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes [default: SERVE_WORKERS, or 1].")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Serve the champion over HTTP."""
    from .serving.app import serve as stage

    _, create_app = context.obj
    stage(create_app, host, port, workers or 0, quiet)


@app.command(epilog="Example: `ml key shop --scope predict --scope labels`")
def key(
    name: Annotated[str, typer.Argument(help="Who uses the key.")],
    scopes: Annotated[
        list[str] | None, typer.Option("--scope", help="predict, labels or admin.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove the key.")] = False,
) -> None:
    """Create an API key and print it, only this once; a running server reads it within seconds."""
    from . import api_keys

    path = read().keys(Path.cwd())
    if path is None:
        raise UserError("SERVE_KEYS is off, so requests need no key: set it to a file first.")
    if remove:
        api_keys.remove(path, name)
    else:
        sys.stdout.write(f"{api_keys.add(path, name, scopes or ())}\n")


def run(training: str, create_app: str) -> None:
    """Run the command line; print a user's error as a sentence, without a traceback.

    `training` names a use case's `Training` as `module:name`, since a server lacks its libraries;
    `create_app` names the factory of the HTTP application.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # busy waiting is slow on a shared machine
    try:
        app(obj=(training, create_app))
    except (UserError, GateRefused) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        sys.stderr.write(f"The library {error.name} is missing: run `uv sync`.\n")
        sys.exit(UserError.exit_code)
