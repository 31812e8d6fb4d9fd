"""Four weeks of payments through HTTP, in order of time: features and answers of the table."""

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from project_package.columns import length
from project_package.features.windows import MILLISECONDS_A_DAY
from project_package.fraud.features import INPUTS, LABEL_DELAY_DAYS, LOOKBACK
from project_package.fraud.schemas import Payment
from project_package.fraud.task import load, to_responses
from project_package.lifecycle.predicted_test_rows import splits_of
from project_package.lifecycle.project import Project
from project_package.model_store import CHAMPION

DELAY = timedelta(days=LABEL_DELAY_DAYS)


def payments(table: pl.DataFrame) -> list[dict[str, Any]]:
    """Return payments as a card network sends them: without labels."""
    rows = table.select(*Payment.model_fields).to_dicts()
    return [row | {"timestamp": row["timestamp"].isoformat()} for row in rows]


@pytest.mark.parametrize("use_case", ["fraud"], indirect=True, scope="session")
def test_four_weeks_over_http_equal_the_table(project: Project, served: Any) -> None:
    bundle = project.store.load(CHAMPION)[1]
    time = pl.col("timestamp")
    test = splits_of(project, bundle).test
    raw = pl.read_parquet(project.workspace.dataset().path / "rows.parquet")
    start = raw.filter(transaction_id=test["transaction_id"][0])["timestamp"][0]
    earlier = raw.filter((time < start) & (time > start - LOOKBACK))
    sent = raw.filter(time >= start)
    unlabelled = pl.concat([earlier, sent])
    answers = list[dict[str, Any]]()
    for part in earlier.iter_slices(5_000):
        served.post("events", payments(part))
    for part in sent.iter_slices(100):
        due = unlabelled["timestamp"] <= part["timestamp"][-1] - DELAY
        for known in unlabelled.filter(due).iter_slices(10_000):
            served.post("labels", known.select("transaction_id", "is_fraud").to_dicts())
        unlabelled = unlabelled.filter(~due)
        instances = [{"transaction": payment} for payment in payments(part)]
        answers += served.post("predict", instances)["predictions"]

    rows = np.flatnonzero(sent["transaction_id"].is_in(test["transaction_id"].tolist()))
    assert len(rows) == length(test) > 5_000
    assert (test["timestamp"][-1] - test["timestamp"][0]) > 27 * MILLISECONDS_A_DAY
    served_rows = served.rows()
    for name in INPUTS:
        assert np.array_equal(served_rows[name][rows], test[name]), name
    expected = to_responses(test, load(bundle).predict(test))
    assert [answers[row] for row in rows] == [answer.model_dump() for answer in expected]
