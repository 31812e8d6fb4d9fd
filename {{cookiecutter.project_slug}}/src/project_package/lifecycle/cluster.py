"""Run tasks in processes of this machine, or on a Dask cluster.

A task is small, since it is sent, and can be repeated, since it runs again when the process that
works on it ends: it has names, settings, numbers and paths. A process keeps what it reads by path.
`str(task)` is its name in messages.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

from joblib import Parallel, cpu_count, delayed, parallel_config
from threadpoolctl import threadpool_limits

from ..contract.training import Run, Training
from ..errors import MissingColumn, Unavailable, UserError
from ..settings import Settings

Runs: TypeAlias = Callable[[bool], Run]
"""Return how to run tasks (whether one uses all cores by itself, as the fit of a network does)."""
ATTEMPTS = 3
"""How often a task may end the process that works on it."""


def named(function: Callable[[Any], Any], task: Any) -> Any:
    """Call a function; name the task in an error that is not written for the user."""
    try:
        return function(task)
    except (UserError, MissingColumn):
        raise
    except Exception as error:
        error.add_note(f"This happened in the task: {task}.")
        raise


def in_processes(count: int, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
    """Run tasks in processes with one thread each; in this process if one is enough.

    Raises:
        UserError: a task ended its process three times.
    """
    if count == 1 or len(tasks) == 1:
        with threadpool_limits(1):  # sums depend on the number of threads
            yield from map(partial(named, function), tasks)
        return
    done = 0
    for attempt in range(ATTEMPTS):
        # The last attempt has one task at a time, so that it is known which one ends its process.
        waiting = 1 if attempt == ATTEMPTS - 1 else "2 * n_jobs"
        calls = (delayed(named)(function, task) for task in tasks[done:])
        try:
            with parallel_config("loky", n_jobs=count, inner_max_num_threads=1):
                for result in Parallel(return_as="generator", pre_dispatch=waiting)(calls):
                    done += 1
                    yield result
        except BrokenProcessPool:
            continue
        return
    raise UserError(f"{tasks[done]}: its process ended {ATTEMPTS} times; memory may be too small.")


@contextmanager
def open_cluster(settings: Settings) -> Iterator[Runs]:
    """Yield how to run tasks: on the cluster of the settings, or in processes of this machine.

    Without a cluster, tasks that use all cores run one after another in this process.

    Raises:
        UserError: the library or a file of the certificates is missing.
        Unavailable: the scheduler does not answer, or is lost later.
    """
    if not settings.cluster:
        pool = partial(in_processes, settings.processes or cpu_count())
        yield lambda own_threads: map if own_threads else pool
        return
    from distributed import KilledWorker  # noqa: PLC0415  an extra

    with connect(settings) as client:

        def run(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
            futures = [client.submit(partial(named, function), task, pure=False) for task in tasks]
            for task, future in zip(tasks, futures, strict=True):
                try:
                    yield future.result()
                except KilledWorker as error:
                    raise UserError(f"{task}: it ended {error.args[1]} workers.") from error
                except CancelledError as error:
                    message = f"The scheduler of {settings.cluster} is lost: run the command again."
                    raise Unavailable(message) from error

        yield lambda _: run


def connect(settings: Settings) -> Any:
    """Return a client of the cluster, to be closed.

    Raises:
        UserError: the library or a file of the certificates is missing.
        Unavailable: the scheduler does not answer.
    """
    from distributed import Client, Security  # noqa: PLC0415  an extra

    files = (settings.cluster_ca, settings.cluster_cert, settings.cluster_key)
    if absent := [file or '""' for file in files if not Path(file).is_file()]:
        raise UserError(
            "CLUSTER requires the files CLUSTER_CA, CLUSTER_CERT and CLUSTER_KEY; there is no "
            f"file {', '.join(absent)}."
        )
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # errors are raised
    security = Security(
        require_encryption=True,
        tls_ca_file=files[0],
        tls_client_cert=files[1],
        tls_client_key=files[2],
    )
    try:
        return Client(settings.cluster, security=security, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise Unavailable(f"The cluster {settings.cluster} does not answer: {error}.") from error


@contextmanager
def spread_fits(
    training: Training, parallel: bool, settings: Settings, root: Path
) -> Iterator[Training]:
    """Yield a training whose candidates are fitted on all workers at once, where one can be.

    The folder `root` is seen by all workers; files in it are deleted at the end.

    Raises:
        UserError: there is no cluster, or no candidate can be fitted in this way.
        Unavailable: the scheduler does not answer, or has no workers.
    """
    if not parallel:
        yield training
        return
    if not settings.cluster or not any(one.fit_on_cluster for one in training.candidates):
        missing = "a candidate that can" if settings.cluster else "a cluster: set CLUSTER"
        raise UserError(
            f"train.data_parallel = true requires {missing}; or set it to false, which fits each "
            "model in one process."
        )
    scratch = TemporaryDirectory(dir=root, prefix=".fit-")
    with connect(settings) as client, scratch as folder:
        count = len(client.scheduler_info(n_workers=-1)["workers"])
        if not count:
            raise Unavailable(f"The cluster {settings.cluster} has no workers: start some.")
        candidates = [
            replace(one, fit=one.fit_on_cluster(client, Path(folder), count), workers=count)
            if one.fit_on_cluster
            else one
            for one in training.candidates
        ]
        yield replace(training, candidates=tuple(candidates))
