"""The clock of the machine: what is old is deleted only while it is right."""

import logging
import time

MAX_CHANGE = 86_400
"""Seconds. What is deleted some hours early or late does no harm."""
log = logging.getLogger(__name__)


class Clock:
    """Notices when the clock is changed while the process runs."""

    def __init__(self) -> None:
        self._start = time.time() - time.monotonic()

    def is_right(self) -> bool:
        """Return whether the clock has not been changed by more than a day; warn if it has."""
        if abs(time.time() - time.monotonic() - self._start) <= MAX_CHANGE:
            return True
        log.warning("the clock was changed, or stood still: nothing is deleted until a restart")
        return False
