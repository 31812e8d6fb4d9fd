"""Shadow mode: the challenger answers copies of requests, and its answers are only compared.

One thread works through a bounded queue; batches that do not fit are dropped and counted. The
features are those of the champion's batch, since one code computes both.
"""

import logging
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from ..columns import decisions_differ
from ..prediction_log import SHADOW
from .log_writer import LogWriter
from .model_loader import ModelLoader, ServedModel
from .predicted_batch import PredictedBatch, make_batch
from .prometheus import Metrics

MAX_BATCHES = 64
"""How many batches may wait."""
log = logging.getLogger(__name__)


class Shadow:
    """The challenger in shadow mode; the metrics say how far it is from the champion."""

    def __init__(
        self, challenger: ModelLoader, metrics: Metrics, log_writer: LogWriter | None
    ) -> None:
        self.challenger = challenger
        self.metrics = metrics
        self.log_writer = log_writer
        self._room = threading.Semaphore(MAX_BATCHES)
        self._thread = ThreadPoolExecutor(1, "shadow")

    def submit(self, batch: PredictedBatch) -> None:
        """Queue a batch of the champion while there is a challenger; never wait, never raise."""
        challenger = self.challenger.served
        bundle = batch.served.bundle
        if challenger is None or challenger.is_async or challenger.bundle.digest == bundle.digest:
            return
        rows = len(batch.responses)
        if not self._room.acquire(blocking=False):
            self.metrics.shadow_rows.labels("dropped").inc(rows)
            return

        def finish(comparison: Future[None]) -> None:
            self._room.release()
            if not comparison.cancelled() and (error := comparison.exception()):
                self.metrics.shadow_rows.labels("failed").inc(rows)
                log.warning("the challenger failed", extra={"reason": type(error).__name__})

        self._thread.submit(self._compare, batch, challenger).add_done_callback(finish)

    def close(self) -> None:
        """End the thread; batches that wait are dropped."""
        self._thread.shutdown(cancel_futures=True)

    def _compare(self, champion: PredictedBatch, served: ServedModel) -> None:
        challenger = make_batch(served, champion.rows, served.predict(champion.rows), champion.ids)
        for name, values in champion.monitored.items():
            if values.dtype.kind in "fiub":  # numbers: texts have no difference
                other = challenger.monitored[name]
                difference = np.abs(np.subtract(values, other, dtype=np.float64))
                self.metrics.shadow_difference.labels(name).inc(float(np.nansum(difference)))
        changed = int(decisions_differ(champion.predictions, challenger.predictions).sum())
        self.metrics.shadow_rows.labels("changed").inc(changed)
        self.metrics.shadow_rows.labels("compared").inc(len(challenger.responses))
        if self.log_writer:
            self.log_writer.write(challenger, SHADOW)
