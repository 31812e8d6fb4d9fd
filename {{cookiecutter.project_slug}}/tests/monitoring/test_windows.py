"""Windows: which logged predictions belong to one, and how labels find them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from project_package.monitoring.windows import periods, read_windows
from project_package.params import Monitor
from project_package.prediction_log import PredictionLog
from project_package.reference import Reference, describe

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
REFERENCE = describe({"x": np.arange(9.0), "kind": np.array(["a"], object)})


def answer(day: float, number: int, **changes: Any) -> dict[str, Any]:
    """Return a logged prediction of a day, whose monitored x is its number."""
    row = {"version": "1", "role": "champion", "event": "", "entity": "", "answer": '{"y": 1}'}
    monitored = json.dumps({"x": number, "kind": "a"})
    named = {"prediction": f"p-{number}", "monitored": monitored}
    return {"time": START + day * DAY, **row, **named, **changes}


def find(version: str) -> Reference | None:
    return REFERENCE if version in {"1", "2"} else None


def read(log: PredictionLog, days: int = 1, most: int = 100) -> list[Any]:
    times = [(START + n * DAY, START + (n + 1) * DAY) for n in range(days)]
    return read_windows(log, times, find, most)


def test_a_window_has_the_answers_from_its_start_to_before_its_end(log: PredictionLog) -> None:
    log.insert([[answer(day, number) for number, day in enumerate((-0.1, 0, 0.9, 1, 1.5))]])
    first, second = read(log, days=2)
    assert first.rows["x"].tolist() == [1, 2]
    assert second.rows["x"].tolist() == [3, 4]
    assert first.rows["time"].tolist() == [int(t) for t in (1767225600000, 1767303360000)]


def test_answers_of_the_shadow_are_left_out(log: PredictionLog) -> None:
    log.insert([[answer(0, 1), answer(0, 2, role="shadow"), answer(0, 3, role="challenger")]])
    (window,) = read(log)
    assert (window.total, window.rows["x"].tolist()) == (2, [1, 3])


def test_a_window_is_of_the_version_that_answered_most(log: PredictionLog) -> None:
    log.insert([[answer(0, 1), answer(0, 2, version="2"), answer(0, 3, version="2")]])
    (window,) = read(log)
    assert (window.total, window.version) == (2, "2")
    assert window.rows["x"].tolist() == [2, 3]


def test_a_window_of_an_unknown_version_has_no_rows(log: PredictionLog) -> None:
    log.insert([[answer(0, 1, version="9")]])
    (window,) = read(log)
    assert (window.total, window.version, window.reference, window.labels) == (1, "9", None, [])


def test_labels_join_on_prediction_and_event_and_the_last_counts(log: PredictionLog) -> None:
    log.insert([[answer(0, 1), answer(0, 2, event=log.hash("e")), answer(0, 3)]])
    log.insert_labels([("p-1", "", '{"y": 5}'), ("", "e", '{"y": 6}'), ("p-1", "", '{"y": 7}')])
    (window,) = read(log)
    assert window.labels == [{"y": 7}, {"y": 6}, None]


def test_a_value_that_is_missing_in_the_log_is_missing(log: PredictionLog) -> None:
    log.insert([[answer(0, 1, monitored='{"x": null}')]])
    (window,) = read(log)
    assert np.isnan(window.rows["x"]).tolist() == [True]
    assert window.rows["kind"].tolist() == [None]


def test_of_many_answers_a_sample_is_read(log: PredictionLog) -> None:
    log.insert([[answer(0, number) for number in range(1_000)]])
    (window,) = read(log, most=100)
    assert window.total == 1_000
    assert len(window.labels) == pytest.approx(100, abs=20)


def test_a_sample_does_not_depend_on_the_order_of_versions(log: PredictionLog) -> None:
    log.insert([[answer(0, n, role=("shadow", "champion")[n % 2]) for n in range(1_000)]])
    (window,) = read(log, most=250)
    assert window.total == 500
    assert len(window.labels) == pytest.approx(250, abs=40)


def test_periods_end_now() -> None:
    found = periods(START, Monitor(hours=12, windows=3))
    assert found[-1] == (START - DAY / 2, START)
    assert found[0] == (START - 3 * DAY / 2, START - DAY)
