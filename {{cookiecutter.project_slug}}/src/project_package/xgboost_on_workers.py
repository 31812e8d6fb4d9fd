"""Fit one XGBoost model on several workers, each with a part of the rows.

The workers are those of the Dask cluster that a command uses, or processes of this machine: both
give the same model. XGBoost merges quantiles and histograms of the parts, over connections of its
own, which have no TLS.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from .errors import Unavailable, UserError
from .frozen import Frozen

if TYPE_CHECKING:  # servers read parameters without what it imports
    from .contract.training import Candidate

ATTEMPTS = 3
"""How often a fit is tried when it loses a worker."""
SECONDS = 120
"""How long a fit waits for enough workers."""
LONGEST = 600
"""How many seconds a worker waits for the others: to meet, and in one step of a fit."""
NOTICED = 5
"""Within how many seconds the scheduler notices that a worker is lost."""


class XGBoost(Frozen):
    """How XGBoost is fitted."""

    workers: int = Field(default=0, ge=0, description="that share each fit; 0: no sharing")


def share_fits(candidates: Iterable["Candidate"], count: int) -> tuple["Candidate", ...]:
    """Return the candidates; with workers, fits of `xgboost` are shared by so many of them.

    The settings of XGBoost get their number, because another one gives other trees.
    """
    return tuple(
        shared(one, count) if one.name == "xgboost" and count else one for one in candidates
    )


def shared(candidate: "Candidate", count: int) -> "Candidate":
    """Return a candidate whose settings have a number of workers, which its fits use."""
    fixed = {"workers": count}
    space = candidate.space
    return replace(
        candidate,
        start={**candidate.start, **fixed},
        space=space and (lambda trial: {**space(trial), **fixed}),
        parallel=None,
    )


def fit_on_workers(model: Any, features: NDArray[Any], target: NDArray[Any], count: int) -> Any:
    """Fit a classifier or regressor of XGBoost on a number of workers, and return it.

    The same rows, seed and number of workers give the same model.

    Args:
        model: is fitted in place.
        features: (rows, features).
        target: (rows,).
        count: of workers; 0: the fit is in this process.

    Raises:
        UserError: the extra `cluster` is missing, or the fit lost workers again and again.
        Unavailable: there are too few workers.
    """
    if not count:
        return model.fit(features, target)
    parts = [*zip(np.array_split(features, count), np.array_split(target, count), strict=True)]
    for _ in range(ATTEMPTS):
        client = find_client(count)
        with fit_lock(client):
            booster = fit_parts(client, wait_for(client, count), part_of(model, target), parts)
        if booster:
            model.load_model(booster)
            return model
        if client.cluster:  # of this machine: it may not start its lost worker again
            close_local(client)
    raise UserError(f"A fit lost a worker {ATTEMPTS} times; memory may be too small.")


def find_client(count: int) -> Any:
    """Return the client of the command's cluster, or of workers on this machine."""
    try:
        from distributed import Client  # noqa: PLC0415  an extra
    except ImportError as error:
        raise UserError("xgboost.workers requires `uv sync --extra cluster`.") from error
    try:
        return Client.current(allow_global=False)  # type: ignore[no-untyped-call]
    except ValueError:  # there is none
        return local_client(count)


@lru_cache(maxsize=1)
def local_client(count: int) -> Any:
    """Return a client of new processes of this machine, which end with this one."""
    from distributed import Client, LocalCluster  # noqa: PLC0415  an extra

    cluster = LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=count,
        threads_per_worker=1,
        security=True,  # TLS, with a certificate of its own
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        silence_logs="CRITICAL",  # it reports workers that end with their client
    )
    return Client(cluster, set_as_default=False)  # type: ignore[no-untyped-call]


def close_local(client: Any) -> None:
    """End the processes of `local_client`, which starts others when it is called again."""
    local_client.cache_clear()
    client.cluster.close()
    client.close()


@lru_cache(maxsize=1)
def fit_lock(client: Any) -> Any:
    """Return the lock of fits, which take turns; that of a killed command ends after 30 s."""
    from distributed import Lock  # noqa: PLC0415  an extra

    with client.as_current():
        return Lock("xgboost")  # type: ignore[no-untyped-call]


def wait_for(client: Any, count: int, seconds: float = SECONDS) -> Mapping[str, str]:
    """Return that many of the running workers, or raise Unavailable if there are fewer."""
    with suppress(TimeoutError):  # they are counted below
        client.wait_for_workers(count, timeout=seconds)
    found = running(client)
    if len(found) < count:
        raise Unavailable(
            f"xgboost.workers is {count}, and {len(found)} workers run: start more, or lower it."
        )
    return dict([*found.items()][:count])


def running(client: Any) -> Mapping[str, str]:
    """Return the addresses of the running workers, and their folders.

    A worker that starts again at the same address has another folder.
    """
    return {
        address: worker["local_directory"]
        for address, worker in client.scheduler_info(n_workers=-1)["workers"].items()
        if worker["status"] == "running"
    }


def part_of(model: Any, target: NDArray[Any]) -> Any:
    """Return the regressor that fits a part, which may have few of a classifier's classes."""
    from xgboost import XGBClassifier, XGBRegressor  # noqa: PLC0415  servers do without it

    settings = model.get_params()
    if isinstance(model, XGBClassifier):
        classes = len(np.unique(target))
        many = {"objective": "multi:softprob", "num_class": classes}
        settings |= many if classes > 2 else {"objective": "binary:logistic"}
    return XGBRegressor(**settings)


def fit_parts(
    client: Any,
    workers: Mapping[str, str],
    model: Any,
    parts: Sequence[tuple[NDArray[Any], NDArray[Any]]],
) -> bytearray | None:
    """Return the booster, of which each worker has fitted a part; None if a worker was lost."""
    host = urlsplit(client.scheduler_info()["address"]).hostname
    group = client.run_on_scheduler(start_tracker, host, len(workers))
    futures = []
    try:
        sent = [
            client.scatter([*part], workers=[worker], direct=True, hash=False)
            for worker, part in zip(workers, parts, strict=True)
        ]
        for number, (worker, part) in enumerate(zip(workers, sent, strict=True)):
            member = {**group, "dmlc_task_id": f"{number:06}"}
            futures += [client.submit(fit_part, model, *part, member, workers=[worker], pure=False)]
        wait_for_parts(client, workers, futures)
        return bytearray(futures[0].result())
    except Exception:  # of XGBoost, Dask or a socket, if a worker is lost
        if not is_lost(client, workers):
            raise
    client.cancel(futures)
    if not client.cluster:  # of others, whose workers still wait for the lost one
        survivors = [*workers.items() & running(client).items()]
        client.restart_workers([address for address, _ in survivors], raise_for_error=False)
    return None


def start_tracker(host: str, count: int) -> Mapping[str, Any]:
    """Start what XGBoost's workers find each other with; return what they connect with."""
    from xgboost.tracker import RabitTracker  # noqa: PLC0415  servers read parameters without it

    tracker = RabitTracker(count, host, sortby="task", timeout=LONGEST)
    tracker.start()
    Thread(target=tracker.wait_for, daemon=True).start()
    return {**tracker.worker_args(), "dmlc_timeout": LONGEST}


def fit_part(
    model: Any, features: NDArray[Any], target: NDArray[Any], member: Mapping[str, Any]
) -> bytes:
    """Fit a model on a part of the rows, together with the other workers; return the booster."""
    from distributed import get_worker  # noqa: PLC0415  an extra
    from xgboost.collective import CommunicatorContext  # noqa: PLC0415

    with CommunicatorContext(**member):
        model.set_params(n_jobs=get_worker().state.nthreads).fit(features, target)
    return bytes(model.get_booster().save_raw())


def wait_for_parts(client: Any, workers: Mapping[str, str], parts: Sequence[Any]) -> None:
    """Wait for all parts; raise the error of one, or ConnectionError if a worker is lost."""
    from distributed import wait  # noqa: PLC0415  an extra

    done = False
    while not done:
        with client.as_current(), suppress(TimeoutError):
            wait(parts, timeout=1)  # type: ignore[no-untyped-call]
            done = True
        for part in parts:
            if part.status == "error":
                part.result()
        if not done and not workers.items() <= running(client).items():
            raise ConnectionError


def is_lost(client: Any, workers: Mapping[str, str], seconds: float = NOTICED) -> bool:
    """Return whether a worker is lost, which the scheduler may notice after the others."""
    deadline = time.monotonic() + seconds
    while workers.items() <= running(client).items():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
