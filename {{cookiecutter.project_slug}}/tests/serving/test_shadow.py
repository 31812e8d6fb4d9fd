"""The challenger answers in the shadow, or its share; the champion never notices."""

import json
import logging
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from project_package.serving import shadow as shadows
from project_package.serving.batch import scored
from project_package.serving.follower import Follower
from project_package.serving.outbox import Log, Outbox
from project_package.serving.record import Record
from project_package.serving.services import Options
from project_package.serving.shadow import Shadow, changed
from project_package.model_store import CHALLENGER

SUBJECTS = 2_000


@pytest.fixture
def record(tmp_path: Path) -> Iterator[Record]:
    opened = Record(tmp_path / "predictions.db", b"key")
    yield opened
    opened.close()


def app(multiplying: Any, record: Record, canary: float = 0) -> FastAPI:
    """Build an application whose challenger is version 6."""
    multiplying.publish(6, CHALLENGER)
    built: FastAPI = multiplying.app(
        Options(log=Log(record, Outbox(record.path, 9)), canary=canary)
    )
    return built


def ask(url: str, *numbers: dict[str, Any]) -> Any:
    answer = httpx.post(f"{url}/v1/predict", json={"instances": numbers})
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.parametrize("alone", [True, False])
def test_the_shadow_sees_every_batch_and_the_client_the_champion(
    multiplying: Any, record: Record, running: Any, until: Any, alone: bool
) -> None:
    application = app(multiplying, record)
    shadow: Shadow = application.state.services.shadow
    with running(application) as url:
        for x in range(1, 5):
            told = ask(url, {"x": x, "name": f"{x}", "alone": alone}, {"x": 0})
            assert told == {"model_version": "1", "predictions": [{"y": x}, {"y": 0}]}
        until(lambda: shadow.compared == 8)
    assert shadow.changed == 3  # 6 x is above 10 for 2, 3 and 4
    assert shadow.differences == {"x": 0, "y": 5 * (1 + 2 + 3 + 4)}
    with sqlite3.connect(record.path) as file:
        query = "SELECT version, answer FROM predictions WHERE role = 'shadow' ORDER BY signals"
        found = [(version, json.loads(answer)["y"]) for version, answer in file.execute(query)]
    assert found == [("6", y) for y in (0, 0, 0, 0, 6, 12, 18, 24)]


def test_what_fails_in_the_shadow_is_counted_and_nobody_hears(
    multiplying: Any, record: Record, running: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    application = app(multiplying, record)
    monkeypatch.setattr(shadows, "scored", fails)
    with running(application) as url:
        for x in range(3):
            assert ask(url, {"x": x})["predictions"] == [{"y": x}]
        until(lambda: application.state.services.shadow.failed == 3)


def test_what_does_not_fit_into_the_queue_is_dropped_and_counted(
    multiplying: Any, record: Record, running: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, score = threading.Event(), scored

    def slow(*arguments: Any) -> Any:
        go_on.wait()
        return score(*arguments)

    monkeypatch.setattr(shadows, "MOST_WAITING", 4)
    monkeypatch.setattr(shadows, "scored", slow)
    application = app(multiplying, record)
    shadow: Shadow = application.state.services.shadow
    with running(application) as url:
        for x in range(7):
            ask(url, {"x": x}, {"x": x})
        assert shadow.dropped == 3 * 2
        go_on.set()
        until(lambda: shadow.compared == 4 * 2)
        ask(url, {"x": 1})
        until(lambda: shadow.compared == 4 * 2 + 1)


def test_without_a_challenger_nothing_is_compared_or_complained_of(
    multiplying: Any, record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    application = multiplying.app(Options(log=Log(record, Outbox(record.path, 9)), canary=1))
    with TestClient(application) as client:
        answer = client.post("/v1/predict", json={"instances": [{"x": 2}]})
        assert answer.json()["model_version"] == "1"
        assert client.get("/readyz").json()["challenger"] == ""
    assert application.state.services.shadow.compared == 0
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_the_share_is_stable_and_each_subject_stays_on_its_side(
    multiplying: Any, record: Record, running: Any, until: Any
) -> None:
    application = app(multiplying, record, canary=0.2)
    shadow: Shadow = application.state.services.shadow
    numbers = [{"x": 1, "who": f"subject {number}"} for number in range(SUBJECTS)]
    with running(application) as url:
        parts = [ask(url, *numbers[at : at + 500]) for at in range(0, SUBJECTS, 500)]
        versions = [version for part in parts for version in part["versions"]]
        answers = [answer["y"] for part in parts for answer in part["predictions"]]
        again = [ask(url, number)["model_version"] for number in numbers[:50]]
        champions = [*versions, *again].count("1")
        until(lambda: shadow.compared + shadow.dropped >= champions)
    assert shadow.compared + shadow.dropped == champions  # none that the challenger answered
    deviation = (0.2 * 0.8 / SUBJECTS) ** 0.5
    assert versions.count("6") / SUBJECTS == pytest.approx(0.2, abs=4 * deviation)
    assert answers == [int(version) for version in versions]
    assert again == versions[:50]
    with sqlite3.connect(record.path) as file:
        query = "SELECT role, version FROM predictions WHERE role <> 'shadow'"
        assert {*file.execute(query)} == {("champion", "1"), ("challenger", "6")}


def test_a_challenger_that_is_taken_away_or_broken_answers_nobody(
    multiplying: Any, record: Record, running: Any, until: Any
) -> None:
    def answers(url: str, version: str) -> bool:
        return bool(ask(url, {"x": 1})["model_version"] == version)

    with running(app(multiplying, record, canary=1)) as url:
        assert answers(url, "6")
        multiplying.store.unpoint(CHALLENGER)
        until(lambda: answers(url, "1"))
        multiplying.publish(7, CHALLENGER)
        until(lambda: answers(url, "7"))
        multiplying.publish(8, CHALLENGER, graph=b"no graph")
        until(lambda: answers(url, "1"))
        assert "cannot be used" in httpx.get(f"{url}/readyz").json()["challenger"]
        multiplying.store.unpoint(CHALLENGER)
        until(lambda: httpx.get(f"{url}/readyz").json()["challenger"] == "")


def test_an_optional_alias_stays_served_while_the_store_is_away(
    multiplying: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: str) -> bytes:
        raise OSError(path)

    multiplying.publish(6, CHALLENGER)
    follower = Follower(multiplying.api, multiplying.store, CHALLENGER, optional=True)
    monkeypatch.setattr(multiplying.store, "_get", fails)
    follower.check()
    assert follower.served is not None
    assert follower.unreachable


def test_a_choice_that_differs_is_a_change_and_a_measurement_is_none() -> None:
    one = {"score": np.zeros(3), "top": np.array([[1, 2], [1, 2], [3, 4]])}
    two = {"score": np.ones(3), "top": np.array([[1, 2], [2, 1], [3, 5]])}
    assert changed(one, two).tolist() == [False, True, True]
    assert not changed({"score": np.zeros(2)}, {"score": np.ones(2)}).any()
