"""Fit one XGBoost model on all workers of a Dask cluster, each with a part of the rows.

XGBoost merges quantiles and histograms of the parts, over connections of its own that have no TLS.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from xgboost import XGBClassifier

from .errors import Unavailable

FitModel: TypeAlias = Callable[[Any, NDArray[Any], NDArray[Any]], Any]
"""Fit a model with the interface of scikit-learn, and return it (model, features, target)."""
ATTEMPTS = 3
"""How often a fit starts again after it has lost a worker."""
SECONDS = 120
"""How long a fit waits for another worker in place of a lost one."""


def fit_here(model: Any, features: NDArray[Any], target: NDArray[Any]) -> Any:
    """Fit a model in this process."""
    return model.fit(features, target)


def fit_on_workers(client: Any, folder: Path, count: int) -> FitModel:
    """Return how to fit on that many workers, which all see the folder.

    The same rows, seed and number of workers give the same model. The fit raises Unavailable when
    it has lost workers three times, or none came in place of a lost one.
    """

    def fit(model: Any, features: NDArray[Any], target: NDArray[Any]) -> Any:
        files = {folder / "features.npy": features, folder / "target.npy": target}
        for path, values in files.items():
            np.save(path, values)
        for _ in range(ATTEMPTS):
            workers = wait_for(client, count)
            try:
                parts = [in_parts(client, path, values, workers) for path, values in files.items()]
                model.load_model(fit_parts(client, model, *parts))
            except Exception:  # of XGBoost, Dask or a socket, if a worker is lost
                if set(workers) <= set(addresses(client)):
                    raise
            else:
                return model
        raise Unavailable(f"A fit lost workers of the cluster {ATTEMPTS} times: run it again.")

    return fit


def fit_parts(client: Any, model: Any, data: Any, target: Any) -> bytearray:
    """Return the booster that is fitted on Dask arrays with one chunk for each worker."""
    from xgboost import dask as xgb  # noqa: PLC0415  an extra

    kind = xgb.DaskXGBClassifier if isinstance(model, XGBClassifier) else xgb.DaskXGBRegressor
    spread = kind(**{**model.get_params(), "n_jobs": None})  # as many threads as a worker has
    spread.client = client
    with client.as_current():
        spread.fit(data, target)
    return bytearray(spread.get_booster().save_raw())


def in_parts(client: Any, path: Path, values: NDArray[Any], workers: Sequence[str]) -> Any:
    """Return a Dask array of a file, of which each worker reads a part."""
    from dask import array  # noqa: PLC0415  an extra

    da: Any = array  # without types

    ends = np.linspace(0, len(values), len(workers) + 1).astype(int)
    chunks = []
    for worker, start, end in zip(workers, ends, ends[1:], strict=False):
        part = client.submit(read_part, path, start, end, workers=[worker], pure=False)
        shape = (end - start, *values.shape[1:])
        chunks.append(da.from_delayed(part, shape=shape, dtype=values.dtype))
    return da.concatenate(chunks)


def read_part(path: Path, start: int, end: int) -> NDArray[Any]:
    """Read some rows of a file, and no others."""
    return np.array(np.load(path, mmap_mode="r")[start:end])


def addresses(client: Any) -> list[str]:
    """Return the addresses of the workers in the order of their names, as XGBoost ranks them."""
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return sorted(workers, key=lambda address: str(workers[address]["name"]))


def wait_for(client: Any, count: int) -> list[str]:
    """Return the addresses of that many workers.

    Raises:
        Unavailable: there are fewer.
    """
    try:
        client.wait_for_workers(count, timeout=SECONDS)
    except TimeoutError as error:
        found = len(addresses(client))
        raise Unavailable(
            f"The fit requires {count} workers, and the cluster has {found}: start more."
        ) from error
    return addresses(client)[:count]
