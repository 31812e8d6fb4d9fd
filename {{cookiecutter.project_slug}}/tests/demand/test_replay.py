"""The weeks of the test through the server, week after week: nothing differs from the table."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from project_package.bundle import unpack
from project_package.contract import Columns, length, take
from project_package.demand.features import PLANS, PRODUCT, SOLD
from project_package.lifecycle.evaluate import test_rows as rows_of_the_test
from project_package.lifecycle.project import Project
from project_package.onnx_model import Predictor
from project_package.model_store import BUNDLE


def bodies(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Give weeks of products as a shop would send them."""
    return rows.with_columns(week=pl.col("week").dt.date().cast(pl.String)).to_dicts()


def forecasts(weeks: pl.DataFrame, test: Columns, served: Any) -> list[Any]:
    """Ask for each week of the test, and tell what was sold when it is over."""
    start, answers = test["timestamp"].min(), list[Any]()
    milliseconds = pl.col("week").dt.epoch("ms")
    for part in weeks.filter(milliseconds < start).iter_slices(5_000):
        served.post("events", bodies(part))
    for now in np.unique(test["timestamp"]):
        week = weeks.filter(milliseconds == now)
        asked = pl.DataFrame({PRODUCT: test[PRODUCT][test["timestamp"] == now].astype(str)})
        plans = bodies(asked.join(week, on=PRODUCT, maintain_order="left").select("week", *PLANS))
        products = asked[PRODUCT].to_list()
        instances = [
            {PRODUCT: name, "plan": plan} for name, plan in zip(products, plans, strict=True)
        ]
        answers += served.post("predict", instances)["predictions"]
        served.post("events", bodies(week))
    return answers


@pytest.mark.parametrize("use_case", ["demand"], indirect=True, scope="session")
def test_features_and_answers_of_the_test_are_those_of_the_table(
    project: Project, served: Any
) -> None:
    predictor = Predictor(unpack(project.registry.store.fetch(1, BUNDLE)), project.use_case.api)
    rows = rows_of_the_test(project, predictor.bundle)
    test = take(rows, np.argsort(rows["timestamp"], kind="stable"))
    raw = pl.read_parquet(project.workspace.dataset().path / "rows.parquet")
    answers = forecasts(raw.select(PRODUCT, "week", *SOLD, *PLANS).sort("week"), test, served)
    assert len(answers) == length(test) > 500
    assert len(np.unique(test["timestamp"])) >= 4
    for name, values in predictor.api.encode(test, predictor.assets).items():
        found = predictor.api.encode(served.features(), predictor.assets)[name]
        assert found.tobytes() == values.tobytes()
    told = predictor.api.respond(predictor.predict(test), predictor.assets)
    assert answers == [json.loads(text) for text in told]
