"""The champion that is checked, with what several checks need, each computed once."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from pydantic import BaseModel, SecretStr

from ..bundle import Bundle
from ..columns import Columns, length, take
from ..contract.checklist import Checklist
from ..contract.task import Model, Task
from ..errors import UserError
from ..lifecycle.predicted_test_rows import PredictedVersion, read_version
from ..lifecycle.project import Project
from ..lifecycle.registry import Version
from ..lifecycle.scores import MODEL, Evaluation
from ..serving.app import create_app

if TYPE_CHECKING:
    from ..serving.services import OpenEvents

PACKAGE = __package__.rpartition(".")[0]
ASKED = 100
"""Test rows that are asked as requests."""


DAY = 86_400_000
"""Milliseconds."""


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
    def asked(self) -> tuple[Columns, Sequence[BaseModel]]:
        """Some test rows, and a request for each, without identifiers."""
        chosen = np.linspace(0, length(self.test) - 1, ASKED).astype(int)
        path = self.project.workspace.dataset(self.bundle.manifest.data).path
        requests: list[BaseModel] = []
        found: list[NDArray[Any]] = []
        for row in np.unique(chosen)[:, None]:
            made = self.project.training.examples(path, take(self.test, row), 2)
            if made:  # a request can have too long a history
                requests.append(made[0])
                found.append(row)
        return take(self.test, np.concatenate(found)), requests

    @contextmanager
    def serve(self, **settings: Any) -> Iterator[TestClient]:
        """Serve the model store in this process, without keys; log and events are in `folder`."""
        own = {
            "serve_keys": "off",
            "model_store": self.project.store.address,
            "log_url": SecretStr(""),
            "state_url": "",
            **settings,
        }
        changed = self.project.settings.model_copy(update=own)
        if self.open_events:  # reads STATE_URL unless its settings have it
            kind = resolve_name(f"{PACKAGE}.state.open_store:StateSettings")
            changed = kind.model_construct(**changed.model_dump())
        make_task = self.project.training.make_task
        app = create_app(make_task, changed, self.folder, self.open_events)
        try:
            with TestClient(app, raise_server_exceptions=False) as client:
                yield client
        finally:
            gc.unfreeze()  # the server froze what was loaded, which DuckDB would report as leaked
