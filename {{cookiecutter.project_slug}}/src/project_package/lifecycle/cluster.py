"""Run tasks in processes of this machine, or on a Dask cluster.

A task is small, since it is sent, and can be repeated, since it runs again when the process that
works on it ends: it has names, settings, numbers and paths. A process keeps what it reads by path.
`str(task)` is its name in messages.
"""

import logging
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import cloudpickle
from joblib import cpu_count
from threadpoolctl import threadpool_limits

from ..contract.training import Run
from ..errors import MissingColumn, Unavailable, UserError
from ..settings import Settings

Runs: TypeAlias = Callable[[bool | None], Run]
"""Return how to run tasks, given whether they may run in several processes of this machine.

None: one after the other in this process, on a cluster too.
"""
ATTEMPTS = 3
"""How often tasks are tried when processes end."""
SECONDS = 10  # until a cluster answers, and has a worker


def call(function: Callable[[Any], Any], threads: int | None, task: Any) -> Any:
    """Call a function; name the task in an error that is not written for the user.

    Sums depend on the number of threads. None leaves them as they are.
    """
    try:
        with threadpool_limits(threads):
            return function(task)
    except (UserError, MissingColumn):
        raise
    except Exception as error:  # of the libraries that fit: any
        error.add_note(f"This happened in the task: {task}.")
        raise


class Processes:
    """Processes of this machine with one thread each, which start when there are tasks."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.pool = self._new_pool()

    def run(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
        """Yield what a function returns for each task, in this process if one is enough.

        Raises:
            UserError: a task ends the process that works on it.
        """
        if self.count == 1 or len(tasks) == 1:
            yield from map(partial(call, function, 1), tasks)
            return
        run = partial(call_pickled, cloudpickle.dumps(function))
        pickled = [cloudpickle.dumps(task) for task in tasks]
        done = 0
        for _ in range(ATTEMPTS - 1):
            try:
                for future in [self.pool.submit(run, content) for content in pickled[done:]]:
                    result = cloudpickle.loads(future.result())
                    done += 1
                    yield result
            except BrokenProcessPool:
                self.pool = self._new_pool()
            else:
                return
        # Run one task at a time, so that it is known which one ends its process.
        for task, content in zip(tasks[done:], pickled[done:], strict=True):
            try:
                yield cloudpickle.loads(self.pool.submit(run, content).result())
            except BrokenProcessPool as error:
                self.pool = self._new_pool()
                message = f"{task}: the process that worked on it ended; memory may be too small."
                raise UserError(message) from error

    def close(self) -> None:
        """End the processes, and what they work on; nothing is cancelled before: that can fail."""
        self.pool.shutdown(wait=False)
        for process in multiprocessing.active_children():
            process.terminate()

    def _new_pool(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")  # a fork copies locks that threads hold
        return ProcessPoolExecutor(self.count, context, initializer=start_process)


def start_process() -> None:
    """Leave Ctrl+C to the parent, and end with it, even if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def call_pickled(function: bytes, task: bytes) -> bytes:
    """Call a function with a task in one thread; cloudpickle also takes functions of functions."""
    try:
        result = call(cloudpickle.loads(function), 1, cloudpickle.loads(task))
    except Exception as error:  # of a task: any
        try:
            pickle.loads(pickle.dumps(error))  # noqa: S301  as the pool will send it
        except Exception:  # noqa: BLE001  of a library, with arguments of its own
            raise RuntimeError(f"{type(error).__name__}: {error}") from None
        raise
    return bytes(cloudpickle.dumps(result))


@contextmanager
def open_cluster(settings: Settings) -> Iterator[Runs]:
    """Yield how to run tasks: on the cluster of the settings, or in processes of this machine.

    Raises:
        UserError: the library or a file of the certificates is missing.
        Unavailable: the scheduler does not answer, or is lost later.
    """
    if not settings.cluster:
        with closing(Processes(settings.processes or cpu_count())) as processes:
            yield lambda parallel: processes.run if parallel else map
        return
    with connect(settings) as client, client.as_current():  # for fits that share it
        run = partial(run_on_workers, client)
        try:
            yield (
                lambda parallel: map if parallel is None else partial(run, 1 if parallel else None)
            )
        except UserError:
            raise
        except Exception as error:  # of Dask: any
            if client.status == "closed" or isinstance(error, CancelledError):
                lost = f"The scheduler of {settings.cluster} is lost: run the command again."
                raise Unavailable(lost) from error
            raise


def run_on_workers(
    client: Any, threads: int | None, function: Callable[[Any], Any], tasks: Sequence[Any]
) -> Iterator[Any]:
    """Yield what a function returns for each task, in order.

    Raises:
        UserError: a task ends the workers that work on it.
    """
    from distributed import KilledWorker  # noqa: PLC0415  an extra

    one = partial(call, function, threads)
    futures = [client.submit(one, task, pure=False) for task in tasks]
    for task, future in zip(tasks, futures, strict=True):
        try:
            yield future.result()
        except KilledWorker as error:
            number = error.allowed_failures + 1
            raise UserError(f"{task}: {number} workers ended that worked on it.") from error


def connect(settings: Settings) -> Any:
    """Return a client of the cluster, to be closed.

    Raises:
        UserError: the library or a file of the certificates is missing.
        Unavailable: the scheduler does not answer, or has no workers.
    """
    try:
        from distributed import Client, Security  # noqa: PLC0415  an extra
    except ImportError as error:
        raise UserError("CLUSTER requires the extra: `uv sync --extra cluster`.") from error

    files = (settings.cluster_ca, settings.cluster_cert, settings.cluster_key)
    if absent := [file or '""' for file in files if not Path(file).is_file()]:
        raise UserError(
            "CLUSTER requires the files CLUSTER_CA, CLUSTER_CERT and CLUSTER_KEY; there is no "
            f"file {', '.join(absent)}."
        )
    for name in ("distributed", "distributed.client", "tornado.application"):  # each has a level
        logging.getLogger(name).setLevel(logging.CRITICAL)  # errors are raised
    security = Security(  # type: ignore[no-untyped-call]
        require_encryption=True,
        tls_ca_file=files[0],
        tls_client_cert=files[1],
        tls_client_key=files[2],
    )
    try:
        client = Client(  # type: ignore[no-untyped-call]
            settings.cluster, security=security, timeout=SECONDS, set_as_default=False
        )
    except (OSError, ValueError) as error:
        raise Unavailable(f"The cluster {settings.cluster} does not answer: {error}.") from error
    try:
        client.wait_for_workers(1, timeout=SECONDS)
    except TimeoutError as error:
        client.close()  # type: ignore[no-untyped-call]
        raise Unavailable(f"The cluster {settings.cluster} has no workers: start some.") from error
    return client
