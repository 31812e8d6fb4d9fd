"""What answers cost is measured and stored at the promotion."""

import numpy as np
import pytest

from project_package.lifecycle.performance import (
    PERFORMANCE,
    Performance,
    calibrate,
    fastest,
)
from project_package.lifecycle.project import Project
from project_package.model_store import CHAMPION


def test_promotion_stores_what_answers_cost(project: Project) -> None:
    _, _, evidence = project.store.load(CHAMPION)
    stored = Performance.model_validate_json(evidence[PERFORMANCE])
    assert 0 < stored.row < stored.request
    assert stored.batch_mb > 0


def test_costs_are_compared_as_ratios() -> None:
    before = Performance(request=1, row=0.5, batch_mb=2, milliseconds=3, microseconds=4)
    now = before.model_copy(update={"row": 1, "batch_mb": 1, "milliseconds": 99})
    assert now.relative_to(before) == {"request": 1, "row": 2, "batch_mb": 0.5}


def test_ratio_to_the_calibration_is_that_of_the_work() -> None:
    unit, twice = fastest(calibrate, lambda: [calibrate() for _ in range(2)], 60)
    assert twice / unit == pytest.approx(2, rel=0.2)
    assert np.isfinite(unit)
