"""What `ml simulate` needs of a use case: days of traffic after the data set, and its damages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl

Damage: TypeAlias = Callable[[pl.DataFrame, float, np.random.Generator], pl.DataFrame]
"""Change the raw rows of a day (rows, strength, random numbers): 1 is a clear change."""
Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Simulation:
    """How traffic is simulated. Raw rows have the columns of the data set, with labels."""

    day: Callable[[Path, int], pl.DataFrame]
    """Return the rows of a day after a data set (its folder, the day from 0), in order of time."""
    damages: Mapping[str, Damage]
    """What can change, by name."""
    requests: Callable[[pl.DataFrame], list[Json]]
    """Return the instances that a client sends of rows, as JSON objects."""
    write_source: Callable[[Path, pl.DataFrame, Path], tuple[str, ...]]
    """Write labelled rows of days, with those of the data set if features look back on them, into a
    file (folder of the data set, rows, file); return the changes of parameters, as for `--set`, to
    train on it."""
    labels: Callable[[pl.DataFrame], list[Json]] | None = None
    """Return what POST /v1/labels takes about the requests of rows, `Task.label` without ids."""
    events: Callable[[pl.DataFrame], list[Json]] | None = None
    """Return the events of rows, for POST /v1/events."""
    body: int = 200
    """Instances of a body, at most."""
    looks_back: bool = False
    """Features look back: the rows are those of all days, not only of those after a damage."""
    label_days: int = 1
    """After how many days labels are known, and events are sent."""
    collect_days: int = 4
    """How many days with labels a new model needs after a damage."""
