"""Every kind of task whose XGBoost is fitted on two workers; their number is a setting."""

import optuna
import pytest
from dask_nodes import DaskNodes
from tabular.tables import error, problem, rows

from project_package.contract.training import Candidate
from project_package.lifecycle.cluster import open_cluster
from project_package.onnx_runtime import GRAPH
from project_package.tabular.models import candidates
from project_package.xgboost_on_workers import share_fits

TEST = rows(300, seed=1)


def shared(target: str) -> Candidate:
    """Return the candidate `xgboost` whose fits are shared by two workers."""
    found = share_fits(candidates(problem(target)), 2)
    return next(one for one in found if one.name == "xgboost")


@pytest.mark.parametrize("target", ["left", "plan", "spent"])
def test_model_of_two_workers_is_as_good_as_that_of_one(dask: DaskNodes, target: str) -> None:
    two = shared(target)
    one = {**two.start, "workers": 0}
    with open_cluster(dask.settings):
        alone, together = (two.fit(rows(400), settings, 7) for settings in (one, two.start))
    assert alone.files()[GRAPH] != together.files()[GRAPH]
    errors = [error(TEST, target, fitted.predict(TEST)) for fitted in (alone, together)]
    assert errors[1] < 1.1 * errors[0]


def test_each_trial_has_the_number_of_workers() -> None:
    two = shared("left")
    assert two.start["workers"] == 2
    assert two.space is not None
    trials = [two.space(optuna.create_study().ask()) for _ in range(2)]
    assert [trial["workers"] for trial in trials] == [2, 2]


def test_only_xgboost_is_shared() -> None:
    alone = candidates(problem("left"))
    assert [one.name for one in share_fits(alone, 2) if "workers" in one.start] == ["xgboost"]
    assert share_fits(alone, 0) == alone
