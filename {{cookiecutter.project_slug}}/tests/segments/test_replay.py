"""Half a year of baskets through the HTTP server, in order of time, equals the table."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from project_package.columns import length
from project_package.lifecycle.predicted_test_rows import splits_of
from project_package.lifecycle.project import Project
from project_package.model_store import CHAMPION
from project_package.segments.dataset import ROWS, midnight_after
from project_package.segments.features import DAYS, HOUSEHOLD, INPUTS
from project_package.segments.schemas import BoughtBasket
from project_package.segments.task import load, make_task

TOGETHER = 100


@pytest.mark.parametrize("use_case", ["segments"], indirect=True, scope="session")
def test_replayed_baskets_have_features_and_answers_of_the_table(
    project: Project, served: Any
) -> None:
    bundle = project.store.load(CHAMPION)[1]
    time = pl.col("timestamp")
    test = splits_of(project, bundle).test
    raw = pl.read_parquet(project.workspace.dataset().path / ROWS).sort("timestamp")
    as_of = midnight_after(raw)
    recent = raw.filter(time > as_of - timedelta(days=DAYS)).select(list(BoughtBasket.model_fields))
    for part in recent.with_columns(time.dt.to_string("iso:strict")).iter_slices(5_000):
        served.post("events", part.to_dicts())
    asked = [{HOUSEHOLD: name, "as_of": as_of.isoformat()} for name in test[HOUSEHOLD]]
    answers = list[Any]()
    for start in range(0, len(asked), TOGETHER):
        answers += served.post("predict", asked[start : start + TOGETHER])["predictions"]
    assert len(answers) == length(test) > 200
    assert all(served.rows()[name].tobytes() == test[name].tobytes() for name in INPUTS)
    expected = make_task(bundle).to_responses(test, load(bundle).predict(test))
    for answer, response in zip(answers, expected, strict=True):
        known = response.model_dump()
        assert answer.pop("distance") == pytest.approx(known.pop("distance"))
        assert answer == known
