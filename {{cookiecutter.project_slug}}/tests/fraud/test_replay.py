"""Four weeks of payments through the server, in order of time: nothing differs from the table."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from project_package.bundle import unpack
from project_package.contract import Columns, length, take
from project_package.fraud.features import LABEL_DELAY_DAYS, LOOKBACK_DAYS
from project_package.lifecycle.evaluate import test_rows as rows_of_the_test
from project_package.lifecycle.project import Project
from project_package.onnx_model import Predictor
from project_package.model_store import BUNDLE
from project_package.features.windows import MILLISECONDS_A_DAY

TOGETHER = 100
DELAY = timedelta(days=LABEL_DELAY_DAYS)


@pytest.fixture
def predictor(project: Project) -> Predictor[Any, Any, Any]:
    return Predictor(unpack(project.registry.store.fetch(1, BUNDLE)), project.use_case.api)


@pytest.fixture
def test(project: Project, predictor: Predictor[Any, Any, Any]) -> Columns:
    return rows_of_the_test(project, predictor.bundle)


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
def replay(project: Project, served: Any, test: Columns) -> Replay:
    """Send the payments from the first of the test on; labels come when they become known."""
    raw = pl.read_parquet(project.workspace.dataset().path / "rows.parquet")
    time, answers = pl.col("timestamp"), list[dict[str, Any]]()
    start = raw.filter(transaction_id=test["transaction_id"][0])["timestamp"][0]
    back = timedelta(days=max(LOOKBACK_DAYS.values()))
    earlier, sent = raw.filter((time < start) & (time > start - back)), raw.filter(time >= start)
    unlabelled = pl.concat([earlier, sent])
    for part in earlier.iter_slices(5_000):
        served.post("events", payments(part))
    for part in sent.iter_slices(TOGETHER):
        due = unlabelled["timestamp"] <= part["timestamp"][-1] - DELAY
        for known in unlabelled.filter(due).iter_slices(10_000):
            served.post("labels", known.select("transaction_id", "is_fraud").to_dicts())
        unlabelled = unlabelled.filter(~due)
        instances = [{"transaction": payment} for payment in payments(part)]
        answers += served.post("predict", instances)["predictions"]
    return Replay(sent, served.features(), answers)


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
    assert answers == [json.loads(text) for text in told]
