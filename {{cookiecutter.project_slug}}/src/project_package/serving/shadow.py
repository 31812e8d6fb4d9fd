"""The shadow: the challenger answers the champion's requests too; nobody is given its answers.

Off the path of answers: one thread works off a bounded queue, and what does not fit into it is
dropped and counted. The features are those of the champion's run, since one code computes both.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ..contract import Columns
from .batch import Batch, scored
from .follower import Follower, Served
from .record import SHADOW, Record

MOST_WAITING = 64
"""Batches; a batch has a thousand rows at most."""
log = logging.getLogger(__name__)


class Shadow:
    """The challenger in the shadow, and how far its answers are from the champion's.

    `compared`, `changed` and `dropped` count rows, `failed` batches. A row is changed when a column
    of its prediction that is a choice (a decision, a segment) is another. `differences` has the sum
    of the absolute differences of each signal: over `compared`, it is their mean.
    """

    def __init__(self, challenger: Follower, record: Record | None = None) -> None:
        self.challenger, self.record = challenger, record
        self.compared = self.changed = self.dropped = self.failed = 0
        self.differences: defaultdict[str, float] = defaultdict(float)
        self._room = threading.Semaphore(MOST_WAITING)
        self._thread = ThreadPoolExecutor(1, "shadow")

    def tell(self, batches: Sequence[Batch]) -> None:
        """Queue what the champion answered, while there is a challenger; quick, in any thread."""
        served = self.challenger.served
        if served is None:
            return
        for batch in batches:
            if batch.served.digest == served.digest:  # the canary's own answers
                continue
            if self._room.acquire(blocking=False):
                self._thread.submit(self._compare, batch, served).add_done_callback(self._done)
            else:
                self.dropped += len(batch.answers)

    def close(self) -> None:
        """End; what waits is dropped."""
        self._thread.shutdown(cancel_futures=True)

    def _compare(self, batch: Batch, served: Served) -> None:
        other = scored(served, batch.rows, batch.pasts, batch.features)
        one, two = batch.signals, other.signals
        for name in one:
            difference = np.abs(np.subtract(one[name], two[name], dtype=np.float64))
            self.differences[name] += float(difference.sum())
        self.changed += int(changed(batch.predictions, other.predictions).sum())
        self.compared += len(batch.answers)
        if self.record:
            self.record.write([other], SHADOW)

    def _done(self, work: "Future[None]") -> None:
        """Say what went wrong: the champion's answers were given, whatever it was."""
        self._room.release()
        if not work.cancelled() and (error := work.exception()):
            self.failed += 1
            if self.failed == 1:
                log.warning("shadow failed", extra={"reason": str(error)})


def changed(one: Columns, two: Columns) -> NDArray[np.bool_]:
    """Tell the rows where a column that is no measurement differs."""
    choices = [name for name, values in one.items() if values.dtype.kind != "f"]
    rows = len(next(iter(one.values())))
    differs = np.zeros(rows, bool)
    for name in choices:
        differs |= (one[name] != two[name]).reshape(rows, -1).any(axis=1)
    return differs
