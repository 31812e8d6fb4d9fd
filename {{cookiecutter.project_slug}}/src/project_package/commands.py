"""The commands of `ml`. A command imports its stage when it runs, so help is quick."""

import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated

import typer

from .errors import UserError
from .settings import Settings, read_settings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from .cli import EntryPoint
    from .lifecycle.project import Project

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a parameter for this run."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback(invoke_without_command=True)
def main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """From raw data to a served model, stage by stage."""
    if version:
        distribution = metadata.entry_points(group="console_scripts")["ml"].dist
        sys.stdout.write(f"{distribution.version if distribution else 'unknown'}\n")
        raise typer.Exit


def add_stage(name: str, function: str, summary: str) -> None:
    """Add a command that opens the project and calls a function: `lifecycle.train:train`."""

    @app.command(name, help=summary, epilog=f"Example: `ml {name}`")
    def stage(context: typer.Context, changes: Set = None, quiet: Quiet = False) -> None:
        with context.obj.open_project(changes, quiet) as project:
            resolve_name(f"{__package__}.{function}")(project)


STAGES = {
    "data": ("make_dataset:make_dataset", "Read raw rows, validate them and compute features."),
    "train": ("train:train", "Search, fit and register a challenger."),
    "evaluate": ("evaluate:evaluate", "Score the challenger and its baselines; write the report."),
    "promote": ("promote:promote", "Make the challenger the champion if it passes the gate."),
    "rollback": ("rollback:rollback", "Make the previous champion the champion again."),
    "pipeline": ("pipeline:pipeline", "Run data, train, evaluate and promote."),
    "models": ("list_versions:list_versions", "List the registered versions with their scores."),
    "doctor": ("doctor:doctor", "Check the set-up; exit with 2 when something is broken."),
}
for name, (function, summary) in STAGES.items():
    add_stage(name, f"lifecycle.{function}", summary)
add_stage("monitor", "monitoring.monitor:monitor", "Find drift and loss; exit with 3 to retrain.")
add_stage("retrain", "monitoring.retrain:retrain", "Train and promote a version if it is needed.")


@app.command(epilog="Example: `ml predict today.csv answers.parquet`, or `ml predict days answers`")
def predict(  # noqa: PLR0913, PLR0917  options
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(help="Raw rows: a .parquet or .csv file, or a folder or bucket of them."),
    ],
    target: Annotated[
        str, typer.Argument(help="The file to write, .parquet or .csv, or a folder or bucket.")
    ],
    explain: Annotated[bool, typer.Option("--explain", help="Write reasons for each row.")] = False,
    changes: Set = None,
    quiet: Quiet = False,
) -> None:
    """Predict raw rows with the champion, into a file, or file by file into a folder."""
    from .lifecycle.predict import predict as predict_file
    from .lifecycle.predict_files import predict_files

    with context.obj.open_project(changes, quiet) as project:
        is_bucket = "://" in source or "://" in target
        if is_bucket or not Path(target).suffix or Path(target).is_dir():
            predict_files(project, source, target, explain=explain)
        else:
            predict_file(project, Path(source), Path(target), explain=explain)


@app.command(epilog="Example: `ml simulate --days 3 --damage shift`, while `make serve` runs")
def simulate(
    context: typer.Context,
    days: Annotated[int, typer.Option(min=1, help="How many days of traffic.")] = 1,
    damage: Annotated[str, typer.Option(help="What changes: see docs/monitor.md.")] = "",
    changes: Set = None,
    quiet: Quiet = False,
) -> None:
    """Send days of traffic to a running server, with labels that arrive late."""
    from .monitoring.simulate import simulate as stage

    with context.obj.open_project(changes, quiet) as project:
        stage(project, days, damage)


@app.command(epilog="Example: `ml labels known.csv`")
def labels(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="prediction_id or id, and labels: .parquet, .csv.")],
    quiet: Quiet = False,
) -> None:
    """Store labels of logged predictions, from a file."""
    from .monitoring.label_file import store_labels as stage

    with context.obj.open_project(None, quiet) as project:
        stage(project, file)


@app.command(epilog="Example: `ml checklist`")
def checklist(context: typer.Context, changes: Set = None, quiet: Quiet = False) -> None:
    """Run the 28 checks of the ML Test Score on the champion; exit with 1 when one fails."""
    from .checklist.checklist import checklist as stage

    entry: EntryPoint = context.obj
    with entry.open_project(changes, quiet) as project:
        stage(project, entry.open_events)


@app.command(epilog="Example: `ml drill concept`")
def drill(
    context: typer.Context,
    damage: Annotated[str, typer.Argument(help="What changes: see docs/monitor.md.")],
    changes: Set = None,
    quiet: Quiet = False,
) -> None:
    """Serve, damage the traffic, wait for the alarm, retrain, and see the quality recover."""
    from .monitoring.drill import drill as stage

    entry: EntryPoint = context.obj

    def open_project(more: Sequence[str]) -> "AbstractContextManager[Project]":
        return entry.open_project([*(changes or ()), *more], quiet)

    stage(open_project, entry.package, damage)


@app.command(epilog="Example: `ml debug 6f1c09a2b3d4e5f6-0`")
def debug(
    context: typer.Context,
    prediction: Annotated[str, typer.Argument(metavar="ID", help="One of `prediction_ids`.")],
    request: Annotated[
        Path | None, typer.Argument(help="Its request in JSON, if rows are not logged.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Predict a logged prediction again, step by step, and compare the answers."""
    from .lifecycle.debug import debug as stage

    with context.obj.open_project(None, quiet) as project:
        stage(project, prediction, request)


@app.command(epilog="Example: `ml erase C0001234`")
def erase(
    context: typer.Context,
    entity: Annotated[str, typer.Argument(metavar="ID", help="The id of a customer, a product...")],
    kind: Annotated[
        str,
        typer.Option(
            "--entity", metavar="KIND", help="The column that has the id, if not that of answers."
        ),
    ] = "",
    quiet: Quiet = False,
) -> None:
    """Delete what the server stored of an entity, and leave it out of new data sets."""
    from .lifecycle.erase import erase as stage

    with context.obj.open_project(None, quiet) as project:
        stage(project, entity, kind)


@app.command(epilog="Example: `ml serve --port 8080`, then open it in a browser")
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address [default: SERVE_HOST, or loopback].")] = "",
    port: Annotated[
        int | None, typer.Option(help="Port; 0 picks a free one [default: SERVE_PORT, or 8000].")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes [default: SERVE_WORKERS, or 1].")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Serve the champion over HTTP."""
    from .serving.serve import serve as stage

    stage(f"{context.obj.package}.entry_point:create_app", host, port, workers, quiet)


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

    path = read_settings(Settings).keys(Path.cwd())
    if path is None:
        raise UserError("SERVE_KEYS is off, so requests need no key: set it to a file first.")
    if remove:
        api_keys.remove_key(path, name)
    else:
        sys.stdout.write(f"{api_keys.add_key(path, name, scopes or ())}\n")
