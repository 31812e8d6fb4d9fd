"""The command line `ml` and the HTTP application of a use case.

Exit codes: 0 done, 1 the gate refused, 2 something that the user can fix, 3 a new model is
needed, 70 a crash, 75 a service is unavailable, 130 Ctrl-C.
"""

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from .commands import add_stage, app
from .errors import GateRefused, RetrainNeeded, UserError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from .lifecycle.project import Project
    from .serving.services import OpenEvents

CRASH = 70  # EX_SOFTWARE of sysexits.h


@dataclass(frozen=True)
class EntryPoint:
    """The command line and the HTTP application of a use case.

    Each side is imported by name when it is used: a server image has no training library, and help
    is quick.
    """

    package: str
    """The package of the use case."""
    task: str = "task"
    """Its module with `make_task`."""
    training: str = "training"
    """Its module with `make_training`, and `PARAMS`, the type of the parameters."""
    history: bool = False
    """Features read earlier events: there is an event store."""

    @property
    def open_events(self) -> "OpenEvents | None":
        """The function that opens the event store of a server."""
        function = f"{__package__}.serving.event_service:open_events"
        return resolve_name(function) if self.history else None

    def create_app(self) -> "FastAPI":
        """Create the application; uvicorn calls this in every process."""
        from .serving.app import create_app

        make_task = resolve_name(f"{self.package}.{self.task}:make_task")
        return create_app(make_task, open_events=self.open_events)

    @contextmanager
    def open_project(
        self, changes: Sequence[str] | None = None, quiet: bool = False
    ) -> "Iterator[Project]":
        """Open the project of the working folder, with changes of its parameters."""
        from .lifecycle.project import open_folder

        training = import_module(f"{self.package}.{self.training}")
        events = (
            import_module(f"{__package__}.lifecycle.event_store_access") if self.history else None
        )
        with open_folder(training, changes or (), quiet) as project:
            yield replace(project, events=events)

    def main(self) -> None:
        """Run the command line; print a user's error as a sentence, without a traceback."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # busy waiting slows a shared machine
        if self.history:
            summary = "Store recent events of the data set, so that the server has a history."
            add_stage("backfill", "lifecycle.backfill:backfill", summary)
        try:
            app(obj=self)
        except (UserError, GateRefused, RetrainNeeded) as error:
            sys.stderr.write(f"{error}\n")
            sys.exit(error.exit_code)
        except Exception as error:  # noqa: BLE001  a scheduler must be able to tell a crash from a refusal
            name = error.name if isinstance(error, ModuleNotFoundError) else None
            if name is None or name.startswith(f"{__package__}."):  # our own module is no library
                traceback.print_exc()
                sys.exit(CRASH)
            sys.stderr.write(f"The library {name} is missing: run `uv sync`.\n")
            sys.exit(UserError.exit_code)
