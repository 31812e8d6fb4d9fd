"""One XGBoost fit on two workers: near that of one process, the same anywhere and after a kill."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from operator import call
from threading import Thread
from typing import Any

import numpy as np
import pytest
from dask_nodes import DaskNodes
from numpy.typing import NDArray
from xgboost import XGBClassifier, XGBRegressor

from project_package.lifecycle.cluster import connect
from project_package.xgboost_on_workers import fit_on_workers, local_client

SETTINGS = {"n_estimators": 20, "max_depth": 3, "random_state": 7}
SAMPLED = {**SETTINGS, "subsample": 0.7, "colsample_bynode": 0.8}


def rows(count: int = 2_000, values: int = 50) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Make features with so few values that each of them has a bin of its own."""
    random = np.random.default_rng(0)
    features = random.integers(0, values, (count, 5)).astype(np.float32)
    return features, features[:, 0] + features[:, 1] + random.normal(size=count) > 1.2 * values


def trees(model: Any) -> bytes:
    return bytes(model.get_booster().save_raw())


def test_fit_on_workers_is_near_that_of_one_process() -> None:
    features, target = rows()
    one, two = (fit_on_workers(XGBClassifier(**SETTINGS), features, target, n) for n in (0, 2))
    assert two.predict_proba(features) == pytest.approx(one.predict_proba(features), abs=1e-6)


def test_classes_and_numbers_are_predicted() -> None:
    features, _ = rows()
    classes = (features[:, 0] // 17).astype(int)
    classifier = fit_on_workers(XGBClassifier(**SETTINGS), features, classes, 2)
    assert (classifier.predict(features) == classes).all()
    regressor = fit_on_workers(XGBRegressor(**SETTINGS), features, features[:, 0], 2)
    assert regressor.predict(features) == pytest.approx(features[:, 0], abs=2)


def test_trees_depend_on_their_number_and_not_on_the_machine(dask: DaskNodes) -> None:
    features, target = rows()

    def fit(run: Callable[..., Any], count: int) -> Any:
        return run(fit_on_workers, XGBClassifier(**SAMPLED), features, target, count)

    one, two, again = (trees(fit(call, count)) for count in (0, 2, 2))
    with connect(dask.settings) as client:
        both = [fit(partial(client.submit, pure=False), 2) for _ in range(2)]
        found = [trees(future.result()) for future in both]
    assert [again, *found] == [two] * 3
    assert one != two


def test_fit_of_a_killed_worker_starts_again() -> None:
    features, target = rows()
    long = {**SAMPLED, "n_estimators": 3_000}
    expected = trees(fit_on_workers(XGBClassifier(**long), features, target, 2))
    client = local_client(2)
    before = client.run(os.getpid)
    killed: list[int] = []

    def kill() -> None:
        """Kill a worker when both have fitted for a while."""
        while sum("fn-" in str(tasks) for tasks in client.processing().values()) < 2:
            time.sleep(0.1)
        time.sleep(0.5)
        killed.append([*before.values()][1])
        os.kill(killed[0], signal.SIGKILL)

    thread = Thread(target=kill, daemon=True)
    thread.start()
    found = trees(fit_on_workers(XGBClassifier(**long), features, target, 2))
    thread.join(timeout=1)
    assert killed[0] not in client.run(os.getpid).values()
    assert found == expected


def test_wrong_setting_is_not_tried_again() -> None:
    features, target = rows()
    with pytest.raises(ValueError, match="max_depth"):
        fit_on_workers(XGBClassifier(max_depth=-3), features, target, 2)
