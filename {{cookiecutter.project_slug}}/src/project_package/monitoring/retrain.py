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

from ..errors import GateRefused, UserError
from ..frozen import Frozen
from ..lifecycle.evaluate import evaluate
from ..lifecycle.make_dataset import make_dataset
from ..lifecycle.project import Project
from ..lifecycle.promote import promote
from ..lifecycle.train import train
from ..lifecycle.workspace import replace_text
from .monitor import watch
from .windows import Times, periods

FILE = "retrain.json"
LOCK = ".retrain.lock"


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
    """Train and promote a new version if monitoring finds a reason; None if nothing was trained.

    Nothing is if there is no reason, or no other data than at the last attempt, which was refused.

    Args:
        project: its data source has the new rows by now.
        times: the windows to judge; unless given, those up to now.

    Raises:
        GateRefused: the new version is no better; the champion stays.
        UserError: another retraining runs, or there is nothing to monitor.
    """
    path = project.workspace.reports / FILE
    with owner(project.workspace.root / LOCK):
        attempt = before = _read(path)
        if attempt is None or attempt.outcome:
            # 1. Look for a reason.
            found = watch(project, times or periods(datetime.now(UTC), project.params.monitor))
            reasons = [f"{a.reason}: {a.detail}" for a in found.alarms if a.retrain]
            if not reasons:
                project.console.print(
                    f"There is no reason to train: version {found.version} stays."
                )
                return None
            attempt = Retraining(
                champion=found.version, reasons=tuple(reasons), started=datetime.now(UTC)
            )
            _write(path, attempt)
        for reason in attempt.reasons:
            project.console.print(f"Reason: {reason}")
        # 2. Read the data with the new rows, and train on it.
        if not attempt.data:
            make_dataset(project)
            data = project.workspace.dataset().digest
            if before and (before.champion, before.data) == (attempt.champion, data):
                _write(path, before)
                project.console.print("The data set is that of the last attempt: no new one.")
                return None
            attempt = _update(path, attempt, data=data)
        if attempt.version is None:
            attempt = _update(path, attempt, version=train(project))
        # 3. Judge the new version, and promote or refuse it.
        evaluate(project)
        try:
            promote(project)
        except GateRefused as error:
            _update(path, attempt, outcome=str(error))
            raise
        return _update(path, attempt, outcome="promoted")


@contextmanager
def owner(path: Path) -> Iterator[None]:
    """Hold a lock and write who has it; raise UserError when another process does."""
    try:
        with FileLock(path, timeout=0):
            path.with_suffix(".owner").write_text(f"process {os.getpid()}", "utf-8")
            yield
    except Timeout:
        holder = path.with_suffix(".owner").read_text("utf-8")
        raise UserError(f"Another retraining runs, {holder}: wait until it ends.") from None


def _read(path: Path) -> Retraining | None:
    try:
        return Retraining.model_validate_json(path.read_text("utf-8"))
    except (FileNotFoundError, ValidationError):
        return None


def _write(path: Path, attempt: Retraining) -> None:
    replace_text(path, attempt.model_dump_json(indent=2))


def _update(path: Path, attempt: Retraining, **changes: object) -> Retraining:
    updated = attempt.model_copy(update=changes)
    _write(path, updated)
    return updated
