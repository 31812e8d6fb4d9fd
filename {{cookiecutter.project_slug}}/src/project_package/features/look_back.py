"""Find which earlier rows the declared features read, and how far back."""

from collections.abc import Sequence
from datetime import timedelta

from ..contract.history import Entity
from .windows import Feature, Window


def entities(features: Sequence[Feature]) -> tuple[Entity, ...]:
    """Return whose earlier rows the features read, how far back, and which raw columns of them.

    How far back is the longest chain of windows over windows.

    Raises:
        ValueError: a window of one entity reads a window of another; a request has the history of
            its own entities only.
    """
    days: dict[str, dict[str, float]] = {}  # of each feature, by entity
    raw: dict[str, dict[str, None]] = {}  # columns of each feature, in the order of reading
    columns: dict[str, dict[str, None]] = {}  # of each entity
    for feature in features:
        inputs = [days.get(name, {}) for name in feature.inputs]
        back = {e: max(part.get(e, 0.0) for part in inputs) for part in inputs for e in part}
        reads = {c: None for name in feature.inputs for c in raw.get(name, {name: None})}
        if isinstance(feature, Window):
            if back.keys() - {feature.entity}:
                raise ValueError(f"{feature.name}: reads windows of another entity than its own")
            back = {feature.entity: back.get(feature.entity, 0.0) + feature.delay + feature.days}
            columns[feature.entity] = columns.get(feature.entity, {}) | reads
        days[feature.name] = back
        raw[feature.name] = reads
    longest = {name: max(part.get(name, 0.0) for part in days.values()) for name in columns}
    return tuple(
        Entity(name, timedelta(days=longest[name]), tuple(c for c in reads if c != "timestamp"))
        for name, reads in columns.items()
    )
