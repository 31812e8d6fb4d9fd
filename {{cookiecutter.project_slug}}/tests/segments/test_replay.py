"""Half a year of baskets through the server, in order of time: nothing differs from the table."""

import json
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from project_package.bundle import unpack
from project_package.contract import length
from project_package.lifecycle.evaluate import test_rows as rows_of_the_test
from project_package.lifecycle.project import Project
from project_package.onnx_model import Predictor
from project_package.segments.data import midnight_after
from project_package.segments.features import DAYS, HOUSEHOLD, SPENT
from project_package.model_store import BUNDLE

TOGETHER = 100


@pytest.mark.parametrize("use_case", ["segments"], indirect=True, scope="session")
def test_features_and_answers_of_the_test_are_those_of_the_table(
    project: Project, served: Any
) -> None:
    predictor = Predictor(unpack(project.registry.store.fetch(1, BUNDLE)), project.use_case.api)
    test, time = rows_of_the_test(project, predictor.bundle), pl.col("timestamp")
    raw = pl.read_parquet(project.workspace.dataset().path / "rows.parquet").sort("timestamp")
    as_of = midnight_after(raw.select(time.max()))
    recent = raw.filter(time > as_of - timedelta(days=DAYS))
    baskets = recent.select(HOUSEHOLD, "basket_id", time.dt.to_string("iso:strict"), *SPENT)
    for part in baskets.iter_slices(5_000):
        served.post("events", part.to_dicts())
    asked = [{HOUSEHOLD: str(name), "as_of": as_of.isoformat()} for name in test[HOUSEHOLD]]
    answers = list[Any]()
    for start in range(0, len(asked), TOGETHER):
        answers += served.post("predict", asked[start : start + TOGETHER])["predictions"]
    assert len(answers) == length(test) > 200
    for name, values in predictor.api.encode(test, predictor.assets).items():
        found = predictor.api.encode(served.features(), predictor.assets)[name]
        assert found.tobytes() == values.tobytes()
    told = predictor.api.respond(predictor.predict(test), predictor.assets)
    assert answers == [json.loads(text) for text in told]
