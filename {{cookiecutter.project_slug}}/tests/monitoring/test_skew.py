"""Skew: which values differ, of instances that both sides have once."""

import numpy as np

from project_package.monitoring.alarms import server_alarms
from project_package.monitoring.skew import Skew, differ, rows_by_key
from project_package.params import Monitor


def test_keys_that_are_empty_or_repeat_are_left_out() -> None:
    assert rows_by_key(["a", "b", "", "a", ""]) == {"b": 1}


def test_rounding_and_missing_values_are_no_difference() -> None:
    computed = np.array([1.0, 2.0, np.nan, np.inf, 5.0, np.nan])
    logged = np.array([1.00001, 2.1, np.nan, np.nan, np.nan, 6.0])
    assert differ(computed, logged).tolist() == [False, True, False, False, True, True]
    names = np.array(["a", "b"], object)
    assert differ(names, np.array(["a", None], object)).tolist() == [False, True]


def test_many_differences_are_an_alarm_that_names_them() -> None:
    skew = Skew(instances=400, shares={"score": 0.25, "hour": 0.01, "amount": 0})
    (alarm,) = server_alarms(skew, None, Monitor())
    assert alarm.detail == "of 400 instances, the data set has other values of score (25.0%)"
    assert (alarm.reason, alarm.retrain) == ("skew", False)
