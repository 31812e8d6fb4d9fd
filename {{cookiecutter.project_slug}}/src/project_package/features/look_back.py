"""Find which earlier rows the declared features read, and how far back."""

from collections.abc import Sequence
from datetime import timedelta

from ..contract.history import Entity
from .windows import Feature, Window


def entities(features: Sequence[Feature]) -> tuple[Entity, ...]:
    """Return whose earlier rows the features read, how far back, and which raw columns of them.

    How far back is the longest chain of windows over windows, in days and in rows. There is no
    limit in rows where the windows of an entity have different delays, or where a window with a
    delay is read by another one: any number of rows may lie between.

    Raises:
        ValueError: a window of one entity reads a window of another; a request has the history of
            its own entities only.
    """
    days: dict[str, dict[str, float]] = {}  # of each feature, by entity
    rows: dict[str, int] = {}  # of each feature
    raw: dict[str, dict[str, None]] = {}  # columns of each feature, in the order of reading
    columns: dict[str, dict[str, None]] = {}  # of each entity
    for feature in features:
        inputs = [days.get(name, {}) for name in feature.inputs]
        back = {e: max(part.get(e, 0.0) for part in inputs) for part in inputs for e in part}
        chain = max((rows.get(name, 0) for name in feature.inputs), default=0)
        reads = {c: None for name in feature.inputs for c in raw.get(name, {name: None})}
        if isinstance(feature, Window):
            if back.keys() - {feature.entity}:
                raise ValueError(f"{feature.name}: reads windows of another entity than its own")
            back = {feature.entity: back.get(feature.entity, 0.0) + feature.delay + feature.days}
            chain += feature.rows
            columns[feature.entity] = columns.get(feature.entity, {}) | reads
        days[feature.name] = back
        rows[feature.name] = chain
        raw[feature.name] = reads
    result = []
    for name, reads in columns.items():
        windows = [f for f in features if isinstance(f, Window) and f.entity == name]
        delays = {window.delay for window in windows}
        reads_window = any(rows[window.name] > window.rows for window in windows)
        is_limited = delays == {0} or (len(delays) == 1 and not reads_window)
        result.append(
            Entity(
                name,
                ttl=timedelta(days=max(days[window.name][name] for window in windows)),
                columns=tuple(column for column in reads if column != "timestamp"),
                delay=timedelta(days=min(delays)),
                rows=max(rows[window.name] for window in windows) if is_limited else None,
            )
        )
    return tuple(result)
