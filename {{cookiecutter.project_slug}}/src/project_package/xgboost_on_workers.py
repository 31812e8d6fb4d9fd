"""Fit one XGBoost model on several workers, each with a part of the rows.

Called in a task of a Dask cluster, a fit uses its workers; elsewhere, it starts processes of this
machine, and gives the same model. XGBoost merges quantiles and histograms of the parts, over
connections of its own, which have no TLS.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from .errors import Unavailable, UserError
from .frozen import Frozen

ATTEMPTS = 3
"""How often a fit is tried when it loses a worker."""
SECONDS = 120
"""How long a fit waits for another worker in place of a lost one."""


class Xgboost(Frozen):
    """How XGBoost is fitted."""

    workers: int = Field(
        default=0, ge=0, description="that share each fit; 0: it is in one process"
    )

    @property
    def settings(self) -> dict[str, int]:
        """The setting of each model that depends on them: another number gives other trees."""
        return {"workers": self.workers} if self.workers else {}


def fit_on_workers(model: Any, features: NDArray[Any], target: NDArray[Any], count: int) -> Any:
    """Fit a classifier or regressor of XGBoost on that many workers, and return it.

    The same rows, seed and number of workers give the same model.

    Args:
        model: is fitted in place.
        features: (rows, features).
        target: (rows,).
        count: without any, the fit is in this process.

    Raises:
        UserError: the extra `cluster` is missing.
        Unavailable: the fit lost workers three times, or there are too few.
    """
    if not count:
        return model.fit(features, target)
    for _ in range(ATTEMPTS):
        client = find_client(count)
        workers = wait_for(client, count)
        try:
            model.load_model(fit_parts(client, workers, model, features, target))
        except Exception:  # of XGBoost, Dask or a socket, if a worker is lost
            if {*workers} <= {*addresses(client)}:
                raise
        else:
            return model
    raise Unavailable(f"A fit lost workers {ATTEMPTS} times: run the command again.")


def find_client(count: int) -> Any:
    """Return the client of the task that this process works on, or of workers on this machine."""
    try:
        from distributed import get_client, get_worker  # noqa: PLC0415  an extra
    except ImportError as error:
        raise UserError("xgboost.workers requires `uv sync --extra cluster`.") from error
    try:
        get_worker()
    except ValueError:  # no task
        return local_client(count)
    return get_client()


@lru_cache(maxsize=1)
def local_client(count: int) -> Any:
    """Return a client of new processes of this machine, which end with this one."""
    from distributed import Client, LocalCluster  # noqa: PLC0415  an extra

    cluster = LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        security=True,  # TLS, with a certificate of its own
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
    )
    return Client(cluster, set_as_default=False)


def wait_for(client: Any, count: int) -> list[str]:
    """Return the addresses of that many workers, or raise Unavailable if there are fewer."""
    try:
        client.wait_for_workers(count, timeout=SECONDS)
    except TimeoutError as error:
        raise Unavailable(
            f"xgboost.workers is {count}, and the cluster has {len(addresses(client))}: start more."
        ) from error
    return addresses(client)[:count]


def addresses(client: Any) -> list[str]:
    """Return the addresses of the workers in the order of their names, as XGBoost ranks them."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return sorted(workers, key=lambda address: str(workers[address]["name"]))


def fit_parts(
    client: Any,
    workers: Sequence[str],
    model: Any,
    features: NDArray[Any],
    target: NDArray[Any],
) -> bytearray:
    """Return the booster, of which each worker has fitted a part of the rows."""
    from xgboost import XGBClassifier, dask  # noqa: PLC0415  servers read parameters without it

    kind = dask.DaskXGBClassifier if isinstance(model, XGBClassifier) else dask.DaskXGBRegressor
    shared = kind(**{**model.get_params(), "n_jobs": None})  # as many threads as a worker has
    with client.as_current():
        shared.fit(*(spread(client, workers, values) for values in (features, target)))
    return bytearray(shared.get_booster().save_raw())


def spread(client: Any, workers: Sequence[str], values: NDArray[Any]) -> Any:
    """Return values as a Dask array, a part of which is in the memory of each worker."""
    from dask import array  # noqa: PLC0415  an extra

    da: Any = array  # without types

    parts = np.array_split(values, len(workers))
    kept = client.scatter(parts, hash=False)  # by a task, in the memory of its own worker
    sent = [
        client.submit(np.array, part, workers=[worker], pure=False)
        for part, worker in zip(kept, workers, strict=True)
    ]
    chunks = [
        da.from_delayed(future, shape=part.shape, dtype=part.dtype)
        for future, part in zip(sent, parts, strict=True)
    ]
    return da.concatenate(chunks)
