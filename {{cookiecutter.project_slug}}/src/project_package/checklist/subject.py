"""The champion that is checked, with what several checks need, each computed once."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
from fastapi.testclient import TestClient
from pydantic import BaseModel, SecretStr

from ..bundle import Bundle
from ..columns import Columns, length, take
from ..contract.checklist import Checklist
from ..contract.task import Model, Task
from ..errors import UserError
from ..lifecycle.console import Console
from ..lifecycle.predicted_test_rows import PredictedVersion, read_version
from ..lifecycle.project import Project
from ..lifecycle.registry import Version
from ..lifecycle.scores import MODEL, Evaluation
from ..lifecycle.workspace import Workspace
from ..serving.app import create_app
from ..settings import Settings

if TYPE_CHECKING:
    from ..serving.services import OpenEvents

PACKAGE = __package__.rpartition(".")[0]
ASKED = 100
"""Test rows that are asked as requests."""
DAY = 86_400_000
"""Milliseconds."""
PROGRAM = Path(__file__).parents[3]
"""The folder of the program, whose tests may run in another one."""


def ask(client: TestClient, *instances: Mapping[str, Any]) -> httpx2.Response:
    """Ask a server to predict instances, JSON objects."""
    answer: httpx2.Response = client.post("/v1/predict", json={"instances": instances})
    return answer


@dataclass(frozen=True)
class Subject:
    """The champion of a project."""

    project: Project
    open_events: "OpenEvents | None"
    """Opens the event store of a server, where features read earlier events."""
    folder: Path
    """An empty folder, for what checks write."""

    @cached_property
    def version(self) -> Version:
        """The champion; raises UserError when there is none."""
        champion = self.project.registry.champion()
        if champion is None:
            raise UserError("There is no champion: run `ml pipeline` first.")
        return champion

    @cached_property
    def facts(self) -> Checklist:
        """What the use case says of its features; raises UserError when it says nothing."""
        if self.project.training.checklist is None:
            raise UserError("The use case has no `checklist` in its Training.")
        return self.project.training.checklist

    @cached_property
    def predicted(self) -> PredictedVersion:
        """Its test rows, and their predictions."""
        return read_version(self.project, self.version)

    @property
    def bundle(self) -> Bundle:
        """Its bundle."""
        return self.predicted.bundle

    @property
    def model(self) -> Model:
        """The model of the bundle."""
        return self.predicted.model

    @property
    def test(self) -> Columns:
        """The test rows."""
        return self.predicted.splits.test

    @property
    def predictions(self) -> Columns:
        """The predictions of the test rows."""
        return self.predicted.predictions[MODEL]

    @cached_property
    def task(self) -> Task:
        """The task of the bundle."""
        return self.project.training.make_task(self.bundle)

    @cached_property
    def evaluation(self) -> Evaluation:
        """Its scores."""
        return self.project.registry.evaluation(self.version)

    @cached_property
    def asked(self) -> Sequence[tuple[int, BaseModel]]:
        """Some test rows, each with a request for it without identifiers."""
        chosen = np.unique(np.linspace(0, length(self.test) - 1, ASKED).astype(int))
        path = self.project.workspace.dataset(self.bundle.manifest.data).path
        training = self.project.training
        own = training.checklist.requests if training.checklist else None
        make = own or (lambda folder, rows: training.examples(folder, rows, 1))
        made = ((row, make(path, take(self.test, np.array([row])))) for row in chosen.tolist())
        return [(row, requests[0]) for row, requests in made if requests]  # a history can be long

    @property
    def requests(self) -> list[BaseModel]:
        """The requests of `asked`."""
        return [request for _, request in self.asked]

    @property
    def requested_rows(self) -> Columns:
        """The test rows of `asked`."""
        return take(self.test, np.array([row for row, _ in self.asked], np.int64))

    def settings(self, **changes: Any) -> Settings:
        """Return the settings of the project, without keys; log and events are in `folder`."""
        own = {
            "serve_keys": "off",
            "serve_canary": 0,
            "model_store": self.project.store.address,
            "log_url": SecretStr(""),
            "state_url": "",
            **changes,
        }
        changed = self.project.settings.model_copy(update=own)
        if self.open_events:  # reads STATE_URL unless its settings have it
            kind = resolve_name(f"{PACKAGE}.state.open_store:StateSettings")
            changed = kind.model_construct(**changed.model_dump())
        return changed

    def in_folder(self, **changes: Any) -> Project:
        """Return the project with these settings, in `folder`."""
        settings = self.settings(**changes)
        workspace = Workspace(self.folder)
        return replace(
            self.project, settings=settings, workspace=workspace, console=Console(quiet=True)
        )

    @contextmanager
    def serve(self, **changes: Any) -> Iterator[TestClient]:
        """Serve the model store in this process, with these settings."""
        make_task = self.project.training.make_task
        app = create_app(make_task, self.settings(**changes), self.folder, self.open_events)
        try:
            with TestClient(app, raise_server_exceptions=False) as client:
                yield client
        finally:
            gc.unfreeze()  # the server froze what was loaded, which DuckDB would report as leaked
