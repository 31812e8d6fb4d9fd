"""What the log says of the answers of a use case is what its evaluation says."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from project_package.columns import Columns, length, to_json_rows
from project_package.contract.task import Task
from project_package.lifecycle.predicted_test_rows import splits_of
from project_package.lifecycle.project import Project
from project_package.model_store import CHAMPION
from project_package.monitoring.quality import has_scores
from project_package.monitoring.windows import to_columns
from project_package.reference import REFERENCE, Reference


def logged(task: Task, rows: Columns, predictions: Columns, reference: Reference) -> Columns:
    """Return rows and predictions as a window of the log has them."""
    responses = task.to_responses(rows, predictions)
    monitored = to_json_rows(task.monitored(rows, predictions))
    time = datetime(2026, 1, 1, tzinfo=UTC)
    found: list[Any] = [
        SimpleNamespace(
            time=time,
            entity="",
            answer=json.loads(response.model_dump_json()),
            monitored=json.loads(values),
        )
        for response, values in zip(responses, monitored, strict=True)
    ]
    return to_columns(found, reference)


def test_scores_from_the_log_are_those_of_the_evaluation(project: Project) -> None:
    monitoring = project.training.monitoring
    if monitoring is None:
        pytest.skip("nothing becomes known of these instances")
    bundle = project.store.load(CHAMPION)[1]
    task = project.training.make_task(bundle)
    test = splits_of(project, bundle).test
    count = length(test)
    rows = {**test, **{n: np.full(count, v) for n, v in monitoring.requested.items()}}
    predictions = project.load(bundle).predict(rows)
    reference = Reference.model_validate_json(bundle.files[REFERENCE])
    answered = monitoring.read_answers(logged(task, rows, predictions, reference))
    labels = monitoring.read_labels(monitoring.write_labels(rows))
    assert has_scores(answered.predictions).all()
    for metric in project.training.metrics:
        if metric.name in monitoring.metrics:
            found = metric.score({**answered.rows, **labels}, answered.predictions)
            assert found == pytest.approx(metric.score(rows, predictions), rel=1e-4), metric.name
    assert project.training.goal.name in monitoring.metrics
    if monitoring.probabilities:
        shares = reference.calibrate(monitoring.probabilities(answered.predictions))
        assert shares.sum(axis=1) == pytest.approx(1)
        true = [np.mean(labels[monitoring.target] == code) for code in range(shares.shape[1])]
        assert shares.mean(axis=0) == pytest.approx(np.array(true), abs=0.05)
