"""Alarms: which windows are judged, and what is a reason to act."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from project_package.bundle import Interval
from project_package.contract.training import Metric
from project_package.lifecycle.registry import Version
from project_package.lifecycle.scores import Score
from project_package.monitoring.alarms import find_alarms
from project_package.monitoring.drift import Drift
from project_package.monitoring.findings import WindowResult
from project_package.params import Monitor

NOW = datetime.now(UTC)
CHAMPION = Version(3, "run", int(NOW.timestamp() * 1000), ("champion",))
GOAL = Metric("goal", "Goal", lambda *_: 0.0)
LOWER = Metric("goal", "Goal", lambda *_: 0.0, higher_is_better=False)


def score(model: float, naive: float, higher: bool = True) -> Score:
    shared: dict[str, Any] = {"spread": 0, "periods": (), "baseline": 0, "ceiling": None}
    return Score(
        name="goal", label="Goal", higher_is_better=higher, model=model, naive=naive, **shared
    )


def drift(name: str, *, is_drifted: bool = False, is_broken: bool = False) -> Drift:
    shared: dict[str, Any] = {
        "test": "",
        "usual": 0,
        "p_value": 0,
        "missing_before": 0,
        "unexpected": 0,
    }
    flags = {"is_drifted": is_drifted, "is_broken": is_broken}
    return Drift(name=name, psi=0.5, missing=0.25, **shared, **flags)


def window(**changes: Any) -> WindowResult:
    fields: dict[str, Any] = {
        "start": NOW,
        "end": NOW,
        "rows": 1_000,
        "labelled": 0,
        "version": "3",
        "drifts": (),
        "realised": None,
        "estimated": None,
        "scores": {},
    }
    return WindowResult(**fields | changes)


def reasons(*windows: WindowResult, metric: Metric = GOAL, test: Score | None = None) -> list[str]:
    found = find_alarms(windows, CHAMPION, metric, test or score(0.9, 0.5), Monitor())
    return [alarm.reason for alarm in found]


def test_without_windows_there_is_no_alarm() -> None:
    assert reasons() == reasons(window()) == []


def test_a_drifted_value_is_a_reason_to_train() -> None:
    (alarm,) = find_alarms(
        [window(drifts=(drift("x", is_drifted=True), drift("y")))],
        CHAMPION,
        GOAL,
        score(0.9, 0.5),
        Monitor(),
    )
    assert (alarm.reason, alarm.detail, alarm.retrain) == ("drift", "x (PSI 0.50)", True)


def test_a_broken_value_is_no_reason_to_train() -> None:
    broken = drift("x", is_drifted=True, is_broken=True)
    (alarm,) = find_alarms([window(drifts=(broken,))], CHAMPION, GOAL, score(0.9, 0.5), Monitor())
    assert (alarm.reason, alarm.retrain) == ("broken", False)
    assert alarm.detail == "x (25% missing, 0% unexpected)"


@pytest.mark.parametrize(
    "apart", [{"version": "2"}, {"rows": 10}], ids=["another version", "few rows"]
)
def test_windows_of_others_and_small_ones_are_not_judged(apart: dict[str, Any]) -> None:
    bad = {"drifts": (drift("x", is_drifted=True),), "realised": Interval(0.1, 0.1, 0.1)}
    assert reasons(window(**bad)) == ["drift", "quality"]
    assert reasons(window(**bad, **apart)) == []


@pytest.mark.parametrize(
    ("best", "expected"), [(0.83, []), (0.81, ["quality"])], ids=["within", "beyond"]
)
def test_a_fifth_of_the_gain_may_be_lost(best: float, expected: list[str]) -> None:
    assert reasons(window(realised=Interval(0.7, 0.6, best))) == expected
    assert reasons(window(estimated=Interval(0.7, 0.6, best))) == ["estimate" for _ in expected]


def test_what_periods_of_the_test_differ_in_may_be_lost_too() -> None:
    test = score(0.9, 0.5).model_copy(update={"spread": 0.1})
    for best, expected in ((0.63, []), (0.61, ["quality"])):
        assert reasons(window(realised=Interval(0.5, 0.4, best)), test=test) == expected


def test_a_metric_of_which_less_is_better_may_rise() -> None:
    test = score(1.0, 2.0, higher=False)
    for low, expected in ((1.1, []), (1.3, ["quality"])):
        found = window(realised=Interval(1.5, low, 1.8))
        assert reasons(found, metric=LOWER, test=test) == expected


def test_the_newest_window_with_labels_counts() -> None:
    good, bad = (window(realised=Interval(x, x, x)) for x in (0.9, 0.1))
    assert reasons(bad, good, window()) == []
    assert reasons(good, bad, window()) == ["quality"]


def test_an_old_champion_is_a_reason_to_train() -> None:
    long_ago = (NOW - timedelta(days=400)).timestamp() * 1000
    old = Version(3, "run", int(long_ago), ())
    (alarm,) = find_alarms([], old, GOAL, score(0.9, 0.5), Monitor())
    assert (alarm.reason, alarm.detail) == ("age", "the champion is 400 days old")
