"""One XGBoost fit on two workers: near that of one process, packed, repeated after a kill."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from dask_nodes import DaskNodes
from numpy.typing import NDArray
from xgboost import XGBClassifier, XGBRegressor

from project_package.lifecycle.cluster import connect
from project_package.xgboost_on_workers import fit_here, fit_on_workers

SETTINGS = {"n_estimators": 20, "max_depth": 3, "random_state": 7}
SAMPLED = {**SETTINGS, "subsample": 0.7, "colsample_bynode": 0.8}


@pytest.fixture(scope="module")
def client(dask: DaskNodes) -> Iterator[Any]:
    with connect(dask.settings) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


def rows(count: int = 2_000, values: int = 50) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Make features with so few values that each of them has a bin of its own."""
    random = np.random.default_rng(0)
    features = random.integers(0, values, (count, 5)).astype(np.float32)
    return features, features[:, 0] + features[:, 1] + random.normal(size=count) > 1.2 * values


def trees(model: Any) -> bytes:
    return bytes(model.get_booster().save_raw())


def test_fit_on_workers_equals_one_process(client: Any, tmp_path: Path) -> None:
    features, target = rows()
    one = fit_here(XGBClassifier(**SETTINGS), features, target)
    two = fit_on_workers(client, tmp_path, 2)(XGBClassifier(**SETTINGS), features, target)
    assert two.predict_proba(features) == pytest.approx(one.predict_proba(features), abs=1e-6)


def test_classes_and_numbers_are_predicted(client: Any, tmp_path: Path) -> None:
    features, _ = rows()
    classes = (features[:, 0] // 17).astype(int)
    fit = fit_on_workers(client, tmp_path, 2)
    assert (fit(XGBClassifier(**SETTINGS), features, classes).predict(features) == classes).all()
    regressor = fit(XGBRegressor(**SETTINGS), features, features[:, 0])
    assert regressor.predict(features) == pytest.approx(features[:, 0], abs=2)


def test_sampling_depends_on_the_number_of_workers(client: Any, tmp_path: Path) -> None:
    features, target = rows()
    fits = [fit_on_workers(client, tmp_path, count) for count in (1, 2, 2)]
    one, two, again = (trees(fit(XGBClassifier(**SAMPLED), features, target)) for fit in fits)
    assert one != two == again


def test_fit_of_a_killed_worker_starts_again(client: Any, tmp_path: Path) -> None:
    features, target = rows()
    long = {**SAMPLED, "n_estimators": 3_000}
    fit = fit_on_workers(client, tmp_path, 2)
    expected = trees(fit(XGBClassifier(**long), features, target))
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
    found = trees(fit(XGBClassifier(**long), features, target))
    thread.join(timeout=1)
    assert killed[0] not in client.run(os.getpid).values()
    assert found == expected


def test_wrong_setting_is_not_tried_again(client: Any, tmp_path: Path) -> None:
    features, target = rows()
    with pytest.raises(ValueError, match="max_depth"):
        fit_on_workers(client, tmp_path, 2)(XGBClassifier(max_depth=-3), features, target)
