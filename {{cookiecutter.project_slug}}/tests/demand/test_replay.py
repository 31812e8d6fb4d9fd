"""The weeks of the test through the HTTP server, one after the other, equal the table."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from project_package.columns import Columns, length, take
from project_package.demand.dataset import KEY, ROWS
from project_package.demand.features import INPUTS, PRODUCT
from project_package.demand.schemas import PLANNED, SOLD
from project_package.demand.task import DemandModel, to_responses
from project_package.lifecycle.predicted_test_rows import splits_of
from project_package.lifecycle.project import Project
from project_package.model_store import CHAMPION


def bodies(rows: pl.DataFrame) -> list[dict[str, Any]]:
    return rows.with_columns(pl.col("week").dt.date().cast(pl.String)).to_dicts()


def replay(weeks: pl.DataFrame, test: Columns, served: Any) -> list[Any]:
    """Ask for each week of the test, and send what was sold when it is over."""
    answers = list[Any]()
    time = pl.col("week").dt.epoch("ms")
    for part in weeks.filter(time < test["timestamp"].min()).iter_slices(5_000):
        served.post("events", bodies(part))
    for now in np.unique(test["timestamp"]):
        week = weeks.filter(time == now)
        asked = pl.DataFrame({PRODUCT: test[PRODUCT][test["timestamp"] == now].astype(str)})
        plans = asked.join(week, on=PRODUCT, maintain_order="left").select(*KEY, *PLANNED)
        instances = [{PRODUCT: plan.pop(PRODUCT), "plan": plan} for plan in bodies(plans)]
        answers += served.post("predict", instances)["predictions"]
        served.post("events", bodies(week))
    return answers


@pytest.mark.parametrize("use_case", ["demand"], indirect=True, scope="session")
def test_replayed_weeks_have_features_and_answers_of_the_table(
    project: Project, served: Any
) -> None:
    bundle = project.store.load(CHAMPION)[1]
    rows = splits_of(project, bundle).test
    test = take(rows, np.argsort(rows["timestamp"], kind="stable"))
    raw = pl.read_parquet(project.workspace.dataset().path / ROWS)
    answers = replay(raw.select(*KEY, *SOLD, *PLANNED).sort("week"), test, served)
    assert len(answers) == length(test) > 500
    assert len(np.unique(test["timestamp"])) >= 4
    assert all(served.rows()[name].tobytes() == test[name].tobytes() for name in INPUTS)
    expected = to_responses(test, DemandModel(bundle).predict(test))
    assert answers == [response.model_dump() for response in expected]
