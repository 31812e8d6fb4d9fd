"""Write predictions to the prediction log in the background.

Answers wait in memory and are written every 100 ms and when the server stops: `kill -9` may lose
the last 100 ms, and a connection that breaks in a commit may leave rows twice.
"""

import logging
import math
import threading
import time
from datetime import UTC, datetime
from itertools import chain
from sys import getsizeof
from typing import Any

from ..columns import instance_keys, to_json_rows
from ..errors import Unavailable
from ..prediction_log import PredictionLog
from .clock import Clock
from .predicted_batch import PredictedBatch
from .prometheus import Metrics

FLUSH_SECONDS = 0.1
RETRY_SECONDS = 1
STALL_SECONDS = 5
DELETE_SECONDS = 600
MAX_BYTES = 64 * 2**20
"""Memory of the rows that wait; further ones are dropped."""
ROW_BYTES = 1_000  # of a row that is ready to be inserted, without its texts
log = logging.getLogger(__name__)


class LogWriter:
    """Writes predictions to a log from `start` to `close`."""

    def __init__(self, prediction_log: PredictionLog, metrics: Metrics, rows: bool = False) -> None:
        """Take the log, and whether the rows that were predicted are logged too."""
        self.prediction_log = prediction_log
        self._with_rows = rows
        self._metrics = metrics
        self._error = ""
        self._flushed = math.inf  # it has not started
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        self._waiting: list[tuple[dict[str, Any], PredictedBatch, int]] = []
        self._batches: list[list[dict[str, Any]]] = []
        self._next_deletion = 0.0
        self._clock = Clock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)

    @property
    def error(self) -> str:
        """Why the database cannot be used; empty when it can."""
        is_stalled = time.monotonic() - self._flushed > STALL_SECONDS
        return self._error or ("The database does not answer." if is_stalled else "")

    def write(self, batch: PredictedBatch, role: str) -> None:
        """Queue answers; drop and count them when too many wait. Never waits for the database."""
        size = _bytes_of(batch)
        shared = {"time": datetime.now(UTC), "version": batch.served.version, "role": role}
        with self._lock:
            if self._waiting_bytes + size > MAX_BYTES:
                self._metrics.log_dropped.inc(len(batch.responses))
            else:
                self._waiting.append((shared, batch, size))
                self._waiting_bytes += size

    def start(self) -> None:
        """Start to write."""
        self._flushed = time.monotonic()
        self._thread.start()

    def close(self) -> None:
        """Write what waits and stop; what the database does not accept is dropped."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.drop()
        self.prediction_log.close()

    def drop(self) -> None:
        """Count the rows that wait as dropped, and say how many in the server's log."""
        waiting = [*self._batches, *(batch.responses for _, batch, _ in self._waiting)]
        if rows := sum(map(len, waiting)):
            log.warning("predictions are not logged", extra={"rows": rows})
            self._metrics.log_dropped.inc(rows)

    def _run(self) -> None:
        while not self._stop.wait(RETRY_SECONDS if self.error else FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        """Write what waits, and delete what is too old; after a failure the rows wait on."""
        try:
            if self._waiting or self._batches:
                self._insert()
            is_due = time.monotonic() >= self._next_deletion
            if is_due and not (self._clock.is_right() and self.prediction_log.delete_old()):
                self._next_deletion = time.monotonic() + DELETE_SECONDS
            self._error = ""
        except Unavailable as error:
            self._error = str(error)
        self._flushed = time.monotonic()

    def _insert(self) -> None:
        """Insert what waits; when the database fails, the rows wait for the next time."""
        with self._lock:
            waiting = self._waiting
            self._waiting = []
        for shared, batch, _ in waiting:  # at once: a row to predict can be an image
            try:
                self._batches.append(self._to_rows(shared, batch))
            except Exception as error:  # noqa: BLE001  the use case's `monitored` may raise any
                log.warning("predictions are not logged", extra={"reason": repr(error)})
                self._metrics.log_dropped.inc(len(batch.responses))
        self.prediction_log.insert(self._batches)
        self._batches = []
        with self._lock:
            self._waiting_bytes = sum(size for *_, size in self._waiting)

    def _to_rows(self, shared: dict[str, Any], batch: PredictedBatch) -> list[dict[str, Any]]:
        """Return the rows of a batch of answers, each with the columns that all share."""
        task = batch.served.task
        rows = batch.rows
        responses = batch.responses
        monitored = to_json_rows(batch.monitored) if batch.monitored else ["{}"] * len(responses)
        events = instance_keys(rows, task.id) if task.id else [""] * len(responses)
        entities = rows[task.entity].tolist() if task.entity else [""] * len(responses)
        texts = to_json_rows(task.logged(rows)) if self._with_rows else [None] * len(responses)
        names = ("prediction", "event", "entity", "monitored", "answer", "row")
        key = self.prediction_log.hash
        columns = (batch.ids, map(key, events), map(key, entities), monitored, responses, texts)
        return [shared | dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _bytes_of(batch: PredictedBatch) -> int:
    """Return how much memory a batch may take until it is written: arrays, texts and rows."""
    columns = [*batch.rows.values(), *batch.predictions.values()]
    objects = [column.ravel().tolist() for column in columns if column.dtype.hasobject]
    texts = sum(map(getsizeof, chain(batch.responses, *objects)))
    return texts + sum(column.nbytes for column in columns) + ROW_BYTES * len(batch.responses)
