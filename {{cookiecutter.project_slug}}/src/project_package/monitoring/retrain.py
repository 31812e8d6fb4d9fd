"""retrain: what a scheduler runs: monitor, and if there is a reason, train, judge and promote.

reports/retrain.json says what was done and why. A run that was killed continues with the stage that
it was in. The champion changes in one step, which `promote` does, and only if the gate lets it.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from ..errors import GateRefused, RetrainNeeded, UserError
from ..frozen import Frozen
from ..lifecycle.evaluate import evaluate
from ..lifecycle.make_dataset import make_dataset
from ..lifecycle.project import Project
from ..lifecycle.promote import promote
from ..lifecycle.train import train
from ..lifecycle.workspace import replace_text
from ..model_store import CHAMPION
from .monitor import require_sound_values, watch
from .notify import publish
from .windows import Times, periods

FILE = "retrain.json"
LOCK = ".retrain.lock"
NO_NEW_DATA = (
    "The source has no other rows than the champion or the refused attempt was trained on."
)


class Retraining(Frozen):
    """One attempt."""

    champion: str
    """The version that was monitored."""
    reasons: tuple[str, ...]
    started: datetime
    data: str = ""
    """The data set; empty until it was read."""
    version: int | None = None
    """The challenger; None until it was trained."""
    outcome: str = ""
    """promoted, or why it was refused; empty until it is known."""


def retrain(project: Project, times: Sequence[Times] = ()) -> Retraining | None:
    """Train and promote a new version if monitoring finds a reason; None if there is none.

    Args:
        project: its data source has the new rows by now.
        times: the windows to judge; unless given, those up to now.

    Raises:
        GateRefused: the new version is no better; the champion stays.
        RetrainNeeded: there is a reason, but the source has no other rows.
        UserError: another retraining runs, there is nothing to monitor, values are broken, or a
            stage fails.
    """
    path = project.workspace.reports / FILE
    with owner(project.workspace.root / LOCK, "retraining"):
        before = _read(path)
        attempt = before if before and is_open(project, before) else None
        if attempt is None:
            # 1. Look for a reason.
            found = watch(project, times or periods(datetime.now(UTC), project.params.monitor))
            publish(project, found)
            require_sound_values(found)
            if not any(alarm.retrain for alarm in found.alarms):
                project.console.print(f"There is no reason to train: {found.version} stays.")
                return None
            reasons = tuple(f"{alarm.reason}: {alarm.detail}" for alarm in found.alarms)
            now = datetime.now(UTC)
            attempt = Retraining(champion=found.version, reasons=reasons, started=now)
            _write(path, attempt)
        for reason in attempt.reasons:
            project.console.print(f"Reason: {reason}")
        try:
            return run(project, path, attempt, before)
        except (GateRefused, RetrainNeeded, UserError) as error:
            _write(path, _read(path) or attempt, outcome=str(error))
            raise


def is_open(project: Project, attempt: Retraining) -> bool:
    """Return whether an attempt was killed before its end, and is still about the champion."""
    pointer = project.store.pointer(CHAMPION)
    return not attempt.outcome and pointer is not None and str(pointer.version) == attempt.champion


def run(project: Project, path: Path, attempt: Retraining, before: Retraining | None) -> Retraining:
    """Run the stages of an attempt that are not done yet."""
    # 2. Read the data with the new rows, and train on it.
    if not attempt.data:
        make_dataset(project)
        data = project.workspace.dataset().digest
        refused = before.data if before and before.champion == attempt.champion else ""
        if data in (refused, project.store.load(CHAMPION)[1].manifest.data):
            attempt = _write(path, attempt, data=data)
            raise RetrainNeeded(NO_NEW_DATA)
        attempt = _write(path, attempt, data=data)
    if attempt.version is None:
        attempt = _write(path, attempt, version=train(project))
    # 3. Judge the new version, and promote it, or refuse it.
    evaluate(project)
    promote(project)
    return _write(path, attempt, outcome="promoted")


@contextmanager
def owner(path: Path, what: str) -> Iterator[None]:
    """Hold a lock, and write who has it; raise UserError when another process does."""
    lock = FileLock(path)
    holder = path.with_suffix(".owner")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = holder.read_text("utf-8") if holder.exists() else "another process"
        raise UserError(f"Another {what} runs, {who}: wait until it ends.") from None
    try:
        holder.write_text(f"process {os.getpid()}", "utf-8")
        yield
    finally:
        lock.release()


def _read(path: Path) -> Retraining | None:
    try:
        return Retraining.model_validate_json(path.read_text("utf-8"))
    except (FileNotFoundError, ValidationError):
        return None


def _write(path: Path, attempt: Retraining, **changes: object) -> Retraining:
    updated = attempt.model_copy(update=changes)
    replace_text(path, updated.model_dump_json(indent=2))
    return updated
