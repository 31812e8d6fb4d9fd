"""Simulated traffic: the same stream for a seed, in days, with labels that are late."""

import sqlite3
from contextlib import closing
from typing import Any

import httpx2
import polars as pl
import pytest
from fastapi.testclient import TestClient
from plain.use_case import SIMULATION

from project_package.errors import UserError
from project_package.lifecycle.project import Project
from project_package.monitoring.simulate import STATE, Stream

pytestmark = pytest.mark.system


class Breaking(httpx2.Client):
    """A client whose connection breaks after some requests."""

    def __init__(self, client: httpx2.Client, requests: int) -> None:
        super().__init__(base_url="http://testserver")
        self.client = client
        self.left = requests

    def post(self, *arguments: Any, **more: Any) -> httpx2.Response:
        self.left -= 1
        if self.left < 0:
            raise httpx2.ConnectError("broken")
        return self.client.post(*arguments, **more)


def test_labels_are_sent_when_they_are_due(copy: Project, client: TestClient) -> None:
    stream = Stream(copy, client)
    assert [stream.send() for _ in range(3)] == [400, 400, 400]
    assert stream.state.labelled == 2
    with closing(sqlite3.connect(copy.workspace.root / "predictions.db")) as database:
        found = database.execute("SELECT count(*), count(DISTINCT prediction) FROM labels")
        assert found.fetchone() == (800, 800)


def test_a_stream_that_broke_continues_where_it_was(copy: Project, client: TestClient) -> None:
    stream = Stream(copy, Breaking(client, 5))
    stream.send("concept")
    with pytest.raises(UserError, match=r"No server answers at http://testserver.*`ml serve`"):
        stream.send()
    again = Stream(copy, client)
    assert [day.sent for day in again.state.days] == [400, 200]
    assert again.send("shift") == 200  # the rest of the day that was begun, without a damage
    assert [day.damage for day in again.state.days] == ["concept", ""]
    assert [len(day.ids) for day in again.state.days] == [400, 400]


def test_a_day_of_which_nothing_was_sent_is_forgotten(copy: Project, client: TestClient) -> None:
    with pytest.raises(UserError, match="No server answers"):
        Stream(copy, Breaking(client, 0)).send("concept")
    again = Stream(copy, client)
    assert again.send() == 400
    assert [day.damage for day in again.state.days] == [""]


def test_rows_are_those_of_the_day_and_its_damage(copy: Project, client: TestClient) -> None:
    stream = Stream(copy, client)
    stream.send()
    stream.send("concept")
    clean = [SIMULATION.day(copy.workspace.root, number) for number in range(2)]
    assert stream.rows(0).equals(clean[0])
    assert stream.rows(1)["left"].equals(~clean[1]["left"])
    changes = stream.write_source(0)
    written = pl.read_csv(copy.workspace.root / "simulated.parquet")
    assert changes == (f"csv={copy.workspace.root / 'simulated.parquet'}",)
    assert written["left"].to_list() == clean[0]["left"].to_list()  # the other has no labels yet


def test_unknown_damage_is_refused(copy: Project, client: TestClient) -> None:
    with pytest.raises(
        UserError, match=r'The damage: "shit" is not a damage; did you mean "shift"'
    ):
        Stream(copy, client).send("shit")


def test_a_refused_request_is_shown(copy: Project, client: TestClient) -> None:
    wrong = Breaking(client, 9)
    wrong.client = TestClient(client.app, headers={"Content-Encoding": "gzip"})
    with pytest.raises(UserError, match="The server answers 415"):
        Stream(copy, wrong).send()


def test_a_damaged_state_is_named(copy: Project, client: TestClient) -> None:
    (copy.workspace.root / STATE).write_text("{")
    with pytest.raises(UserError, match=r"simulation\.json is damaged"):
        Stream(copy, client)
