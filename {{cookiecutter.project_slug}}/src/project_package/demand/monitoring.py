"""How the quality of forecasts is computed from the prediction log."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..columns import Columns
from ..contract.monitoring import Monitoring
from ..contract.training import Outcome
from .metrics import METRICS, NAIVE
from .task import QUANTILES


def read_answers(logged: Columns) -> Outcome:
    """Return the naive forecasts of logged rows, and the forecasts."""
    answers = logged["answer"]
    forecasts = {n: np.array([answer[n] for answer in answers], np.float64) for n in QUANTILES}
    return Outcome({NAIVE: logged[NAIVE]}, forecasts)


def read_labels(labels: Sequence[Mapping[str, Any]]) -> Columns:
    """Return what was sold."""
    return {"units": np.array([label["units"] for label in labels], np.float64)}


def write_labels(rows: Columns) -> list[dict[str, Any]]:
    """Return what was sold."""
    return [{"units": units} for units in rows["units"].tolist()]


MONITORING = Monitoring(
    metrics=tuple(metric.name for metric in METRICS),
    read_answers=read_answers,
    read_labels=read_labels,
    write_labels=write_labels,
)
