"""What the lifecycle needs beside `Training` where features read earlier events."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..columns import Columns
from .training import Training


@dataclass(frozen=True, kw_only=True)
class HistoryTraining(Training):
    """The training of a task whose features read earlier events."""

    recent_events: Callable[[Path], Columns]
    """Read the newest events of the folder of a data set, in order of time, for `ml backfill`."""
