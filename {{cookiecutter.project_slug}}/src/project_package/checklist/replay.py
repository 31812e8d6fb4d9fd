"""Replay test rows: log them as a server does, with labels, and judge them as `ml monitor` does."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from shutil import copytree
from uuid import uuid4

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..columns import Columns, length, take
from ..contract.simulation import Simulation
from ..model_store import CHAMPION
from ..monitoring.findings import WindowResult
from ..monitoring.monitor import find_reference, judge
from ..monitoring.windows import read_windows
from ..params import Monitor
from ..prediction_log import PredictionLog
from ..serving.log_writer import LogWriter
from ..serving.model_loader import ServedModel
from ..serving.predicted_batch import make_batch
from ..serving.prometheus import Metrics
from .subject import Subject

MOST = 10_000
"""Rows that are replayed."""
BATCH = 1_000
RAW = "rows.parquet"
"""The raw rows in the folder of a data set."""


def replay(subject: Subject, permuted: bool = False) -> tuple[WindowResult, Monitor]:
    """Log test rows with their labels, and judge the window that they are.

    Args:
        subject: its predictions are logged.
        permuted: each row gets the answer to another.

    Returns:
        What was found, and the parameters: few rows are judged too.
    """
    count = min(length(subject.test), MOST)
    chosen = np.linspace(0, length(subject.test) - 1, count).astype(np.int64)
    order = np.random.default_rng(0).permutation(count) if permuted else np.arange(count)
    start = datetime.now(UTC)
    path = subject.folder / f"replay-{uuid4().hex}.db"
    with closing(PredictionLog(f"sqlite:///{path}", b"replayed", 90)) as log:
        ids = write_answers(subject, log, chosen, chosen[order])
        if monitoring := subject.project.training.monitoring:
            labels = monitoring.write_labels(take(subject.test, chosen))
            pairs = zip(ids, labels, strict=True)
            log.insert_labels((own, "", json.dumps(label)) for own, label in pairs)
        limits = subject.project.params.monitor
        limits = limits.model_copy(update={"min_rows": min(limits.min_rows, count)})
        params = subject.project.params.model_copy(update={"monitor": limits})
        project = replace(subject.project, params=params)
        find = partial(find_reference, project)
        (window,) = read_windows(log, [(start, datetime.now(UTC))], find, limits.max_rows)
        if window.total != count:
            raise RuntimeError(f"Of {count} answers, {window.total} were logged.")
        return judge(project, window), limits


def write_answers(
    subject: Subject, log: PredictionLog, chosen: NDArray[np.int64], answers: NDArray[np.int64]
) -> list[str]:
    """Log test rows with the predictions of `answers` as the server does; return their ids."""
    version = str(subject.version.number)
    served = ServedModel(
        version=version,
        alias=CHAMPION,
        bundle=subject.bundle,
        task=subject.task,
        model=subject.model,
        evidence={},
        since=None,
        examples=(),
        is_async=False,
    )
    monitoring = subject.project.training.monitoring
    requested = monitoring.requested if monitoring else {}
    log.create_tables()
    writer = LogWriter(log, Metrics())
    writer.start()
    ids: list[str] = []
    batches = -(-len(chosen) // BATCH)
    parts = (np.array_split(numbers, batches) for numbers in (chosen, answers))
    for part, answered in zip(*parts, strict=True):
        rows = take(subject.test, part)
        asked = {name: np.full(len(part), value) for name, value in requested.items()}
        batch = make_batch(served, {**rows, **asked}, take(subject.predictions, answered))
        writer.write(batch, CHAMPION)
        ids += batch.ids
    writer.close()
    return ids


def damaged_rows(subject: Subject, simulation: Simulation) -> Columns:
    """Return the test rows of the data set after the first damage to all of its raw rows."""
    project = subject.project
    folder = subject.folder / "damaged"
    copytree(project.workspace.dataset(subject.bundle.manifest.data).path, folder)
    damage = next(iter(simulation.damages.values()))
    damaged = damage(pl.read_parquet(folder / RAW), 1, np.random.default_rng(0))
    damaged.write_parquet(folder / RAW)
    project.training.compute_features(project.params, folder, lambda _: None, map)
    return project.training.split(project.params, folder).test
