"""The command line: `ml <stage>`. It imports a stage only when that stage runs, so help is quick.

Exit codes: 0 done, 1 a gate said no, 2 something the user can mend.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import GateRefused, UserError

if TYPE_CHECKING:
    from ..contract import UseCase
    from .project import Project

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a parameter for this run."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Source = Annotated[Path, typer.Argument(help="Raw rows: a .parquet or .csv file.")]
Target = Annotated[Path, typer.Argument(help="Where the predictions go: .parquet or .csv.")]
KeyName = Annotated[str, typer.Argument(help="Who will have the key.", metavar="NAME")]
Scopes = Annotated[list[str] | None, typer.Option("--scope", help="predict, labels or admin.")]
Remove = Annotated[bool, typer.Option("--remove", help="Take the key away.")]
Host = Annotated[str, typer.Option(help="Address; SERVE_HOST, or loopback, by default.")]
Port = Annotated[
    int, typer.Option(help="Port; SERVE_PORT, or 8000, by default; 0 takes a free one.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes; SERVE_WORKERS, or 1, by default.")
]


@dataclass(frozen=True)
class Entry:
    """The use case and its server, each imported when a command asks for it."""

    use_case: "Callable[[], UseCase[Any, Any, Any, Any]]"
    serve: Callable[[str, int, int, bool], None]

    def project(self, changes: list[str] | None, quiet: bool = False) -> "Project":
        """Open the project in the working folder: its parameters, settings and places."""
        from .. import settings
        from .console import Console
        from .params import read
        from .project import Project
        from .workspace import Workspace

        root = Path.cwd()
        use_case = self.use_case()
        params = read(use_case.params, root / "params.toml", changes or ())
        return Project(use_case, params, Workspace(root), settings.read(), Console(quiet))


app = typer.Typer(
    help="From raw data to a served model, stage by stage.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def stage(module: str, example: str, text: str, name: str = "") -> None:
    """Add the command of a stage that takes no argument: a function of its module's name."""

    @app.command(name=name or module, help=text, epilog=f"Example: {example}")
    def command(context: typer.Context, changes: Set = None, quiet: Quiet = False) -> None:
        run = getattr(import_module(f".{module}", __package__), name or module)
        context.obj.project(changes, quiet).run(run)


stage("data", "`ml data --set data.days=120`", "Collect raw rows, check them, compute features.")
stage("train", "`ml train --set train.trials=40`", "Search, fit, export and register a challenger.")
stage("evaluate", "`ml evaluate`", "Score the challenger beside its baselines; write the report.")
stage("promote", "`ml promote --set promote.margin=0`", "Let the gate decide on the challenger.")
stage("promote", "`ml rollback`", "Make the champion before the champion again.", "rollback")
stage("remember", "`ml remember`", "Give the server's state the past that new requests need.")
stage("stages", "`ml pipeline --set seed=1`", "Run data, train, evaluate and promote.", "pipeline")
stage("status", "`ml models`", "List the versions with their aliases and scores.", "models")
stage("status", "`ml doctor`", "Explain a broken set-up; something broken exits with 2.", "doctor")


@app.command(epilog="Example: `ml predict today.csv answers.parquet`")
def predict(
    context: typer.Context,
    source: Source,
    target: Target,
    changes: Set = None,
    quiet: Quiet = False,
) -> None:
    """Answer a file of raw rows with the champion."""
    from .predict import predict as stage

    context.obj.project(changes, quiet).run(stage, source, target)


@app.command(epilog="Example: `ml serve --port 8080`, then open /docs")
def serve(
    context: typer.Context,
    host: Host = "",
    port: Port = -1,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Serve the champion over HTTP. Its settings are those of the environment."""
    context.obj.serve(host, port, workers or 0, quiet)


@app.command(epilog="Example: `ml key shop --scope predict --scope labels`")
def key(name: KeyName, scopes: Scopes = None, remove: Remove = False) -> None:
    """Make an API key and print it, this once; a server that runs takes it up by itself."""
    from .. import keys, settings

    path = settings.read().keys(Path.cwd())
    if path is None:
        raise UserError("SERVE_KEYS is off: nobody is asked for a key. Name a file instead.")
    if remove:
        keys.remove(path, name)
    else:
        sys.stdout.write(f"{keys.add(path, name, scopes or ())}\n")


def run(entry: Entry) -> None:
    """Run the command line; a mistake ends with its sentence and exit code, without traceback."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # busy waiting is slow on a shared machine
    try:
        app(obj=entry)
    except (UserError, GateRefused) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        sys.stderr.write(f"The library {error.name} is missing: run `uv sync`.\n")
        sys.exit(UserError.exit_code)
