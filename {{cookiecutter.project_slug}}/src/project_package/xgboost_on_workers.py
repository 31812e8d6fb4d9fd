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
        Unavailable: there are too few workers, or another command uses them.
    """
    if not count:
        return model.fit(features, target)
    client = find_client(count)
    for attempt in range(1, ATTEMPTS + 1):
        workers = wait_for(client, count)
        require_free(client, [*workers])
        try:
            model.load_model(fit_parts(client, [*workers], model, features, target))
        except Exception as error:  # of XGBoost, Dask or a socket, if a worker is lost
            time.sleep(1)  # until the scheduler knows
            if workers.items() <= running(client).items():
                raise
            if attempt == ATTEMPTS:
                lost = f"A fit lost a worker {ATTEMPTS} times; memory may be too small."
                raise UserError(lost) from error
        else:
            break
    return model


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
        silence_logs="ERROR",  # it warns of workers that end with their client
    )
    return Client(cluster, set_as_default=False)  # type: ignore[no-untyped-call]


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


def require_free(client: Any, workers: Sequence[str], seconds: float = LONGEST) -> None:
    """Wait until no other fit uses the workers; raise Unavailable if that takes too long.

    XGBoost waits for ever for its lock, which the scheduler keeps for a command that was killed.
    """
    from distributed import MultiLock  # noqa: PLC0415  an extra

    lock = MultiLock([*workers], client)
    if not lock.acquire(timeout=seconds):  # type: ignore[no-untyped-call]
        raise Unavailable(
            "Another command uses the workers. If none runs, one was killed during a fit: restart "
            "the scheduler."
        )
    lock.release()  # type: ignore[no-untyped-call]


def running(client: Any) -> Mapping[str, str]:
    """Return the running workers in the order of XGBoost: their addresses, and their folders.

    A worker that starts again at the same address has another folder.
    """
    workers = client.scheduler_info(n_workers=-1)["workers"]
    ordered = sorted(workers, key=lambda address: f"{workers[address]['name']}]:{address}")
    return {
        address: workers[address]["local_directory"]
        for address in ordered
        if workers[address]["status"] == "running"
    }


def fit_parts(
    client: Any,
    workers: Sequence[str],
    model: Any,
    features: NDArray[Any],
    target: NDArray[Any],
) -> bytearray:
    """Return the booster, of which each worker has fitted a part of the rows."""
    from xgboost import XGBClassifier, dask  # noqa: PLC0415  servers read parameters without it
    from xgboost.collective import Config  # noqa: PLC0415

    scheduler = urlsplit(client.scheduler_info()["address"]).hostname  # XGBoost's tracker is there
    kind = dask.DaskXGBClassifier if isinstance(model, XGBClassifier) else dask.DaskXGBRegressor
    fitted = kind(
        # As many threads as a worker has; it warns that `coll_cfg` is no parameter of trees.
        **{**model.get_params(), "n_jobs": None, "verbosity": 0},
        coll_cfg=Config(timeout=LONGEST, tracker_host_ip=scheduler, tracker_timeout=LONGEST),
    )
    with client.as_current():
        fitted.fit(*(spread(client, workers, values) for values in (features, target)))
    return bytearray(fitted.get_booster().save_raw())


def spread(client: Any, workers: Sequence[str], values: NDArray[Any]) -> Any:
    """Return values as a Dask array, a part of which is in the memory of each worker."""
    from dask import array  # noqa: PLC0415  an extra

    da: Any = array  # without types
    parts = np.array_split(values, len(workers))
    sent = [
        client.scatter(part, workers=[worker], direct=True, hash=False)
        for part, worker in zip(parts, workers, strict=True)
    ]
    chunks = [
        da.from_delayed(future, shape=part.shape, dtype=part.dtype)
        for future, part in zip(sent, parts, strict=True)
    ]
    return da.concatenate(chunks)
