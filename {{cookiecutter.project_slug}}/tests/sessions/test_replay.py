"""Purchases through the HTTP server, in order of time, equal the table; later ones change nothing.

The batch of a file has the answers of the server, too.
"""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from project_package.columns import Columns, length, take
from project_package.lifecycle.predict import predict
from project_package.lifecycle.predicted_test_rows import splits_of
from project_package.lifecycle.project import Project
from project_package.model_store import CHAMPION
from project_package.sessions.dataset import ROWS, moment
from project_package.sessions.features import HOUSEHOLD
from project_package.sessions.task import HISTORY, load, make_task

COUNT = 300
MOMENTS = pl.col("timestamp").dt.to_string("iso:strict")


def purchases(project: Project) -> pl.DataFrame:
    return pl.read_parquet(project.workspace.dataset().path / ROWS)


def ask(rows: Columns, served: Any) -> list[Any]:
    asked = [
        {HOUSEHOLD: who, "as_of": moment(time).isoformat(), "count": 20}
        for who, time in zip(rows[HOUSEHOLD], rows["timestamp"].tolist(), strict=True)
    ]
    found: list[Any] = served.post("predict", asked)["predictions"]
    return found


@pytest.mark.parametrize("use_case", ["sessions"], indirect=True, scope="session")
def test_replayed_purchases_have_baskets_and_answers_of_the_table(
    project: Project, served: Any
) -> None:
    bundle = project.store.load(CHAMPION)[1]
    rows = splits_of(project, bundle).test
    test = take(rows, np.argsort(rows["timestamp"], kind="stable")[-COUNT:])
    own = purchases(project).filter(pl.col(HOUSEHOLD).is_in(test[HOUSEHOLD].tolist()))
    time = pl.col("timestamp").dt.epoch("ms")
    answers = list[Any]()
    sent = 0
    for now in np.unique(test["timestamp"]).tolist():
        part = own.filter((time >= sent) & (time < now)).with_columns(MOMENTS)
        for some in part.iter_slices(5_000):
            served.post("events", some.to_dicts())
        answers += ask(take(test, test["timestamp"] == now), served)
        sent = now
    assert len(answers) == length(test) == COUNT
    assert served.rows()["baskets"].tolist() == test["baskets"].tolist()
    assert served.rows()["days"].tolist() == test["days"].tolist()
    expected = make_task(bundle).to_responses(
        {**test, "count": np.full(COUNT, 20)}, load(bundle).predict(test)
    )
    for answer, response in zip(answers, expected, strict=True):
        assert answer["baskets"] == response.model_dump()["baskets"]
        scores = [item["score"] for item in response.model_dump()["items"]]
        assert [item["score"] for item in answer["items"]] == pytest.approx(scores, abs=2e-5)


@pytest.mark.parametrize("use_case", ["sessions"], indirect=True, scope="session")
def test_purchases_after_the_moment_change_no_row(project: Project) -> None:
    """The rows of the table are computed again from what was known at each moment."""
    bundle = project.store.load(CHAMPION)[1]
    test = take(splits_of(project, bundle).test, np.arange(100))
    own = purchases(project)
    time = pl.col("timestamp").dt.epoch("ms")
    histories = []
    for who, now in zip(test[HOUSEHOLD], test["timestamp"].tolist(), strict=True):
        known = own.filter(pl.col(HOUSEHOLD) == who, time < now).with_columns(timestamp=time)
        histories.append({HOUSEHOLD: {name: known[name].to_numpy() for name in known.columns}})
    found = HISTORY.features(test, histories)
    for name in ("baskets", "days"):
        assert found[name].tolist() == test[name].tolist()


@pytest.mark.parametrize("use_case", ["sessions"], indirect=True, scope="session")
def test_batch_file_has_the_answers_of_the_server(
    project: Project, served: Any, tmp_path: Path
) -> None:
    every = purchases(project)
    names = every[HOUSEHOLD].unique().sort().head(20).to_list()
    own = every.filter(pl.col(HOUSEHOLD).is_in(names))
    own.write_csv(tmp_path / "own.csv")
    assert predict(project, tmp_path / "own.csv", tmp_path / "answers.parquet") == len(names)
    table = pl.read_parquet(tmp_path / "answers.parquet")
    for some in own.with_columns(MOMENTS).iter_slices(5_000):
        served.post("events", some.to_dicts())
    newest = np.full(len(names), every["timestamp"].to_physical().max())
    answers = ask({HOUSEHOLD: table[HOUSEHOLD].to_numpy(), "timestamp": newest}, served)
    assert table[HOUSEHOLD].to_list() == names
    for answer, (_, *items) in zip(answers, table.rows(), strict=True):
        assert items == [item["item"] for item in answer["items"]]


@pytest.mark.parametrize("use_case", ["sessions"], indirect=True, scope="session")
def test_explained_requests_count_for_their_predictions(served: Any) -> None:
    asked = {HOUSEHOLD: "new", "as_of": "2024-07-01T00:00:00Z", "explain": True}
    for instance in (asked, {**asked, "baskets": []}):  # with the event store, and without
        few = served.client.post("/v1/predict", json={"instances": [instance] * 31})
        assert len(few.json()["predictions"]) == 31
        answer = served.client.post("/v1/predict", json={"instances": [instance] * 32})
        (error,) = answer.json()["detail"]
        assert (answer.status_code, error["loc"]) == (422, ["body", "instances"])
        assert error["msg"] == "take the time of 1,024 instances: send at most 1,000"
