"""One XGBoost fit on two workers: near that of one process, and the same after a kill."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dask_nodes import DaskNodes, run_nodes
from distributed import Client
from numpy.typing import NDArray
from xgboost import XGBClassifier, XGBRegressor
from xgboost.callback import TrainingCallback

from project_package.errors import Unavailable, UserError
from project_package.lifecycle.cluster import open_cluster
from project_package.xgboost_on_workers import fit_on_workers, wait_for

SETTINGS = {"n_estimators": 20, "max_depth": 3, "random_state": 7}
EPOCH = 5
SAMPLED = {**SETTINGS, "subsample": 0.7, "colsample_bynode": 0.8}
FIT = """
import sys
import numpy as np
from project_package.lifecycle.cluster import open_cluster
from project_package.settings import Settings
from project_package.xgboost_on_workers import fit_on_workers
from xgboost import XGBRegressor

numbers = np.arange(1000.0)
with open_cluster(Settings.model_validate_json(sys.argv[1])):
    fit_on_workers(XGBRegressor(n_estimators=2000), numbers[:, None], numbers, 2)
"""


def rows(count: int = 2_000, values: int = 50) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Make features with so few values that each of them has a bin of its own."""
    random = np.random.default_rng(0)
    features = random.integers(0, values, (count, 5)).astype(np.float32)
    return features, features[:, 0] + features[:, 1] + random.normal(size=count) > 1.2 * values


def trees(model: Any) -> bytes:
    return bytes(model.get_booster().save_raw())


@pytest.fixture
def client(dask: DaskNodes) -> Iterator[Any]:
    """Yield the client of the workers that share fits."""
    with open_cluster(dask.settings):
        yield Client.current()  # type: ignore[no-untyped-call]


@pytest.mark.usefixtures("client")
def test_fit_on_workers_is_near_that_of_one_process() -> None:
    features, target = rows()
    one, two = (fit_on_workers(XGBClassifier(**SETTINGS), features, target, n) for n in (0, 2))
    assert two.predict_proba(features) == pytest.approx(one.predict_proba(features), abs=1e-6)


@pytest.mark.usefixtures("client")
def test_classes_and_numbers_are_predicted() -> None:
    features, _ = rows()
    classes = (features[:, 0] // 17).astype(int)
    classifier = fit_on_workers(XGBClassifier(**SETTINGS), features, classes, 2)
    assert (classifier.predict(features) == classes).all()
    regressor = fit_on_workers(XGBRegressor(**SETTINGS), features, features[:, 0], 2)
    assert regressor.predict(features) == pytest.approx(features[:, 0], abs=2)


@pytest.mark.usefixtures("client")
def test_trees_depend_on_the_number_of_workers() -> None:
    features, target = rows()
    one, two, again = (
        trees(fit_on_workers(XGBClassifier(**SAMPLED), features, target, n)) for n in (0, 2, 2)
    )
    assert one != two == again


def kills(victim: int, early: bool) -> TrainingCallback:
    """Return a callback that kills a worker when it fits, or before the workers have met."""

    class Kill(TrainingCallback):
        """Local, so that it is sent as a value."""

        state = 0

        def after_iteration(self, _: Any, epoch: int, __: Any) -> bool:
            if epoch == EPOCH and os.getpid() == victim:
                os.kill(victim, signal.SIGKILL)
            return False

        def __setstate__(self, _: Any) -> None:
            if early and os.getpid() == victim:
                os.kill(victim, signal.SIGKILL)

    kill = Kill()
    kill.state = 0  # or __setstate__ would not be called
    return kill


@pytest.mark.system
@pytest.mark.parametrize(("number", "early"), [(0, False), (1, False), (1, True)])
def test_fit_of_a_killed_worker_starts_again(client: Any, number: int, early: bool) -> None:
    features, target = rows()
    fit = partial(fit_on_workers, features=features, target=target, count=2)
    expected = trees(fit(XGBClassifier(**SAMPLED)))
    victim = [*client.run(os.getpid).values()][number]
    found = trees(fit(XGBClassifier(**SAMPLED, callbacks=[kills(victim, early)])))
    with pytest.raises(ProcessLookupError):
        os.kill(victim, 0)
    assert found == expected


@pytest.mark.system
def test_lost_scheduler_is_one_sentence(tmp_path: Path) -> None:
    with run_nodes(tmp_path) as nodes:
        pid = nodes.scheduler.pid

        class Kill(TrainingCallback):
            """Kills the scheduler; local, so that it is sent as a value."""

            def after_iteration(self, *_: Any) -> bool:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                return False

        model = XGBClassifier(**SETTINGS, callbacks=[Kill()])
        lost = pytest.raises(Unavailable, match=r"The scheduler of .* is lost")
        with lost, open_cluster(nodes.settings):
            fit_on_workers(model, *rows(), 2)


def test_fits_of_two_commands_take_turns(dask: DaskNodes) -> None:
    features, target = rows()

    def fits(_: int) -> list[bytes]:
        """Fit as a command does."""
        with open_cluster(dask.settings):
            return [
                trees(fit_on_workers(XGBClassifier(**SAMPLED), features, target, 2))
                for _ in range(3)
            ]

    with ThreadPoolExecutor(2) as pool:
        (one, two) = pool.map(fits, range(2))
    assert len({*one, *two}) == 1


@pytest.mark.slow
@pytest.mark.system
def test_next_fit_goes_on_when_a_command_is_killed(dask: DaskNodes, client: Any) -> None:
    features, target = rows()
    expected = trees(fit_on_workers(XGBClassifier(**SAMPLED), features, target, 2))
    command = [sys.executable, "-c", FIT, dask.settings.model_dump_json()]
    killed = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": ":".join(sys.path)})
    while not any(client.processing().values()):
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert trees(fit_on_workers(XGBClassifier(**SAMPLED), features, target, 2)) == expected


def test_too_few_workers_are_an_error(client: Any) -> None:
    with pytest.raises(Unavailable, match=r"xgboost\.workers is 3, and 2 workers run"):
        wait_for(client, 3, seconds=0.1)


def test_workers_require_a_cluster() -> None:
    with pytest.raises(UserError, match="requires CLUSTER"):
        fit_on_workers(XGBClassifier(), *rows(), 2)


@pytest.mark.usefixtures("client")
def test_wrong_setting_is_not_tried_again() -> None:
    features, target = rows()
    with pytest.raises(ValueError, match="max_depth"):
        fit_on_workers(XGBClassifier(max_depth=-3), features, target, 2)
