"""Fit one XGBoost model on several workers of a Dask cluster, each with a part of the rows.

The workers send each other quantiles and histograms, over connections of XGBoost's own. These have
no TLS.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
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
"""How many seconds a worker waits for the others in one step of a fit."""
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
        UserError: there is no cluster, or the fit lost workers again and again.
        Unavailable: there are too few workers.
    """
    if not count:
        return model.fit(features, target)
    client = find_client()
    from distributed import Lock  # noqa: PLC0415  an extra

    parts = [*zip(np.array_split(features, count), np.array_split(target, count), strict=True)]
    with Lock("xgboost"):  # type: ignore[no-untyped-call]  # that of a killed command ends after 30 s
        for _ in range(ATTEMPTS):
            booster = fit_parts(client, wait_for(client, count), part_of(model, target), parts)
            if booster:
                model.load_model(booster)
                return model
    raise UserError(f"A fit lost a worker {ATTEMPTS} times; memory may be too small.")


def find_client() -> Any:
    """Return the client of the cluster that the command uses."""
    try:
        from distributed import Client  # noqa: PLC0415  an extra

        return Client.current(allow_global=False)  # type: ignore[no-untyped-call]
    except (ImportError, ValueError) as error:
        raise UserError("xgboost.workers requires CLUSTER; 0 fits in one process.") from error


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
    from distributed.utils import get_ip  # noqa: PLC0415  an extra
    from xgboost.core import XGBoostError  # noqa: PLC0415  servers do without it
    from xgboost.tracker import RabitTracker  # noqa: PLC0415

    scheduler = urlsplit(client.scheduler_info()["address"]).hostname
    here = get_ip(scheduler)  # type: ignore[no-untyped-call]
    # Where the workers meet: in this process, so that none waits for the others if it ends.
    tracker = RabitTracker(len(workers), here, sortby="task")
    tracker.start()
    group = {**tracker.worker_args(), "dmlc_timeout": LONGEST}
    futures = []
    try:
        for number, (worker, part) in enumerate(zip(workers, parts, strict=True)):
            sent = client.scatter([*part], workers=[worker], direct=True, hash=False)
            member = {**group, "dmlc_task_id": f"{number:06}"}
            futures += [client.submit(fit_part, model, *sent, member, workers=[worker], pure=False)]
        wait_for_parts(client, workers, futures)
        return bytearray(futures[0].result())
    except Exception:  # of XGBoost, Dask or a socket, if a worker is lost
        if not is_lost(client, workers):
            raise
    finally:
        with suppress(XGBoostError):  # not all have met
            tracker.free()
        client.cancel(futures)
    return None


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
        with suppress(TimeoutError):
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
