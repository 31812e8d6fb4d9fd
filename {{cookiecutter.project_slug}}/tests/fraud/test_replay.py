"""Four weeks of payments through the server, in order of time: nothing differs from the table."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
import uvicorn

from project_package.bundle import unpack
from project_package.contract import Columns, length, take
from project_package.fraud.features import LABEL_DELAY_DAYS, LOOKBACK_DAYS
from project_package.lifecycle.evaluate import test_rows as rows_of_the_test
from project_package.lifecycle.project import Project
from project_package.predictor import Predictor
from project_package.serving.app import create_app
from project_package.state import State
from project_package.store import BUNDLE
from project_package.windows import MILLISECONDS_A_DAY

TOGETHER = 100
DELAY = timedelta(days=LABEL_DELAY_DAYS)


class Watched(Predictor[Any, Any, Any]):
    """A predictor that keeps the features that it was asked with."""

    seen: list[Columns]

    def predict(self, features: Columns) -> Columns:
        self.seen.append(features)
        return super().predict(features)


@pytest.fixture
def predictor(project: Project) -> Predictor[Any, Any, Any]:
    return Predictor(unpack(project.registry.store.fetch(1, BUNDLE)), project.use_case.api)


@pytest.fixture
def test(project: Project, predictor: Predictor[Any, Any, Any]) -> Columns:
    return rows_of_the_test(project, predictor.bundle)


@pytest.fixture
def served(project: Project, tmp_path: Path) -> Iterator[tuple[str, Watched]]:
    """Serve on a free loopback port, with an empty state."""
    state = State(tmp_path / "state.db", project.use_case.api.memory)
    app = create_app(project.use_case.api, project.registry.store, state)
    champion = app.state.champion
    watched = Watched(champion.served.predictor.bundle, project.use_case.api)
    watched.seen = []
    object.__setattr__(champion.served, "predictor", watched)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", watched
    server.should_exit = True
    thread.join()


def payments(table: pl.DataFrame) -> list[dict[str, Any]]:
    """Give payments as a card network sends them: without labels."""
    names = ("transaction_id", "timestamp", "customer_id", "terminal_id", "amount")
    rows = table.select(names).to_dicts()
    return [row | {"timestamp": row["timestamp"].isoformat()} for row in rows]


@dataclass(frozen=True)
class Replay:
    """What came out of it: the payments that were sent, their features and their answers."""

    sent: pl.DataFrame
    features: Columns
    answers: list[dict[str, Any]]


@pytest.fixture
def replay(project: Project, served: tuple[str, Watched], test: Columns) -> Replay:
    """Send the payments from the first of the test on; labels come when they become known."""
    url, watched = served
    raw = pl.read_parquet(project.workspace.dataset().path / "rows.parquet")
    time, answers = pl.col("timestamp"), list[dict[str, Any]]()
    start = raw.filter(transaction_id=test["transaction_id"][0])["timestamp"][0]
    back = timedelta(days=max(LOOKBACK_DAYS.values()))
    earlier, sent = raw.filter((time < start) & (time > start - back)), raw.filter(time >= start)
    unlabelled = pl.concat([earlier, sent])
    with httpx.Client(base_url=url, timeout=60) as client:
        for part in earlier.iter_slices(5_000):
            post(client, "events", payments(part))
        for part in sent.iter_slices(TOGETHER):
            due = unlabelled["timestamp"] <= part["timestamp"][-1] - DELAY
            for known in unlabelled.filter(due).iter_slices(10_000):
                post(client, "labels", known.select("transaction_id", "is_fraud").to_dicts())
            unlabelled = unlabelled.filter(~due)
            instances = [{"transaction": payment} for payment in payments(part)]
            answers += post(client, "predict", instances)["predictions"]
    names = watched.seen[0]
    features = {name: np.concatenate([part[name] for part in watched.seen]) for name in names}
    return Replay(sent, features, answers)


def post(client: httpx.Client, route: str, rows: list[dict[str, Any]]) -> Any:
    """Post rows and give the answer, which must be one."""
    key = "instances" if route == "predict" else route
    answer = client.post(f"/v1/{route}", json={key: rows})
    answer.raise_for_status()
    return answer.json()


@pytest.mark.parametrize("use_case", ["fraud"], indirect=True, scope="session")
def test_features_and_answers_of_four_weeks_are_those_of_the_table(
    predictor: Predictor[Any, Any, Any], test: Columns, replay: Replay
) -> None:
    rows = replay.sent["transaction_id"].is_in(test["transaction_id"].tolist()).to_numpy()
    assert rows.sum() == length(test) > 5_000
    assert (test["timestamp"][-1] - test["timestamp"][0]) > 27 * MILLISECONDS_A_DAY
    inputs, expected = (
        predictor.api.encode(found, predictor.assets)["features"]
        for found in (take(replay.features, rows), test)
    )
    assert inputs.tobytes() == expected.tobytes()
    told = predictor.api.respond(predictor.predict(test), predictor.assets)
    answers = [replay.answers[place] for place in np.flatnonzero(rows)]
    assert answers == told
