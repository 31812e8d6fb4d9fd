"""The checks of monitoring: O1 to O7."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import mlflow
from pydantic import ValidationError

from ..errors import UserError
from ..lifecycle.performance import PERFORMANCE, Performance, measure
from ..lifecycle.registry import Version
from ..model_store import EVIDENCE
from ..monitoring.alarms import find_alarms
from ..monitoring.drift import compare
from ..monitoring.findings import Findings, WindowResult
from ..monitoring.monitor import FILE
from ..params import Monitor
from ..reference import REFERENCE, Reference
from .checks import Checks, Outcome
from .dependency_job import dependency_job
from .replay import damaged_rows, replay
from .request_checks import invariants, skew, stability
from .subject import DAY, Subject

SLOWER = 1.5
"""What an answer may cost, as a multiple of what it cost when the champion was promoted."""
TRIES = 3


def dependencies(subject: Subject) -> Outcome:
    """Compare the installed libraries with those of training; require the scheduled job."""
    project = subject.project
    project.tracking  # noqa: B018  connects MLflow to this project
    file = f"models:/{project.params.name}/{subject.version.number}/requirements.txt"
    path = mlflow.artifacts.download_artifacts(file, dst_path=str(subject.folder))
    required = Path(path).read_text("utf-8").split()
    changed = []
    for name, _, version in (line.partition("==") for line in required):
        installed = "missing"
        with suppress(metadata.PackageNotFoundError):
            installed = metadata.version(name)
        if installed != version:
            changed.append(f"{name} {version}, now {installed}")
    has_job, job = dependency_job(project.workspace.root)
    same = f"the {len(required)} libraries are those of training"
    detail = f"changed since training: {', '.join(changed)}" if changed else same
    return Outcome(has_job and not changed, f"{detail}; {job}")


def staleness(subject: Subject) -> Outcome:
    """Require a young champion, and an alarm about one that is older than the limit."""
    champion = subject.version
    days = subject.project.params.monitor.stale_days
    older = replace(champion, created=champion.created - round((days + 1) * DAY))
    now = "age" in reasons(subject, champion, ())
    later = "age" in reasons(subject, older, ())
    detail = (
        f"the champion is {'older' if now else 'younger'} than {days:g} days; when it is older, "
        f"there is {'an' if later else 'no'} alarm"
    )
    return Outcome(later and not now, detail)


def reasons(
    subject: Subject,
    version: Version,
    windows: Sequence[WindowResult],
    limits: Monitor | None = None,
) -> list[str]:
    """Return the reasons of the alarms about a version."""
    goal = subject.project.training.goal
    test = subject.evaluation.score(goal.name)
    limits = limits or subject.project.params.monitor
    return [alarm.reason for alarm in find_alarms(windows, version, goal, test, limits)]


def speed(subject: Subject) -> Outcome:
    """Measure what answers cost, and compare it with what they cost at the promotion."""
    files = subject.project.registry.files(subject.version, EVIDENCE)
    if PERFORMANCE not in files:
        raise UserError(f"There is no {PERFORMANCE}: older code promoted this version.")
    before = Performance.model_validate_json(files[PERFORMANCE])
    best: dict[str, float] = {}
    for _ in range(TRIES):  # another program can only add to a time
        now = measure(subject.project, subject.predicted).relative_to(before)
        best = {name: min(cost, best.get(name, cost)) for name, cost in now.items()}
        if max(best.values()) < SLOWER:
            break
    costs = ", ".join(f"{name} {cost:.2f}" for name, cost in best.items())
    detail = f"multiples of the costs at the promotion: {costs}; {SLOWER:g} is too much"
    return Outcome(max(best.values()) < SLOWER, detail)


def quality(subject: Subject) -> Outcome:
    """Replay test rows, then damaged ones: only these may raise an alarm; nor may `ml monitor`."""
    monitoring = subject.project.training.monitoring
    result, limits = replay(subject)
    usual = {*reasons(subject, subject.version, (result,), limits)} - {"age"}
    if monitoring and monitoring.metrics:
        what = "with the answers to other rows"
        worse, limits = replay(subject, permuted=True)
        is_noticed = "quality" in reasons(subject, subject.version, (worse,), limits)
    else:
        what = "without labels, damaged as in simulated traffic"
        is_noticed = bool(answers_drift(subject))
    reported = "quality" in reported_reasons(subject)
    detail = (
        f"{result.rows:,} test rows served again raise {', '.join(sorted(usual)) or 'no'} alarm; "
        f"{what}, they raise {'an' if is_noticed else 'no'} alarm; the last `ml monitor` "
        f"{'has an' if reported else 'has no'} alarm about the quality of this version"
    )
    return Outcome(is_noticed and not usual and not reported, detail)


def answers_drift(subject: Subject) -> list[str]:
    """Return the columns of predictions that drift when rows are damaged."""
    simulation = subject.project.training.simulation
    if simulation is None:
        raise UserError("The use case has neither labels nor damages: no change can be tried.")
    rows = damaged_rows(subject, simulation)
    values = subject.task.monitored(rows, subject.model.predict(rows))
    reference = Reference.model_validate_json(subject.bundle.files[REFERENCE])
    drifts = compare(reference, values, subject.project.params.monitor)
    return [drift.name for drift in drifts if drift.is_drifted and drift.name in reference.outputs]


def reported_reasons(subject: Subject) -> list[str]:
    """Return the reasons of the alarms of the last `ml monitor`, if it was about this version."""
    try:
        text = (subject.project.workspace.reports / FILE).read_text("utf-8")
        found = Findings.model_validate_json(text)
    except (FileNotFoundError, ValidationError):
        return []
    is_same = found.version == str(subject.version.number)
    return [alarm.reason for alarm in found.alarms if is_same]


MONITORING: Checks = {
    "O1": dependencies,
    "O2": invariants,
    "O3": skew,
    "O4": staleness,
    "O5": stability,
    "O6": speed,
    "O7": quality,
}
