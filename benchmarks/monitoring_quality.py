"""Quality of monitoring: writes monitoring_quality.md beside this file.

For each use case a champion is trained, and a server answers simulated days. Days without a damage
count false alarms; days with each damage, in streams with other seeds, count what is found.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryDirectory

import numpy as np
import report
from fastapi.testclient import TestClient

import project_package
from project_package.cli import EntryPoint
from project_package.lifecycle.pipeline import pipeline
from project_package.lifecycle.project import Project
from project_package.monitoring.drill import Drill
from project_package.monitoring.findings import Findings
from project_package.serving.app import create_app

PROGRAM = Path(project_package.__file__).parents[2]
PLACEHOLDER = re.compile(r"\{\{.*?\}\}")
"""What the template fills in."""
LIBRARIES = ("numpy", "scipy", "scikit-learn", "xgboost-cpu")
USE_CASES: dict[str, tuple[str, ...]] = {
    "tabular": (),
    "fraud": ("data.customers=2000", "data.terminals=4000"),
}
DAYS = 200
SEEDS = range(10)
WINDOWS = 3
"""Days without a damage; streams with each damage; windows in which it must be found."""

PROTOCOL = f"""\
A champion is trained with the defaults, of payments on 2,000 cards and 4,000 terminals. A server
answers simulated days, whose labels arrive a day later, of payments a week later. After each day
`ml monitor` judges it, and the newest day with labels. *False alarms* are days of {DAYS} without a
damage that raise any alarm; the goal is under 1 in 20. *Found* is in how many of {len(SEEDS)}
streams with different seeds an alarm is raised within {WINDOWS} windows; the goal is 9. For the
metric that decides, *error of the estimate* is the mean distance, over days, of what was estimated
without labels from what was measured with them."""


@contextmanager
def serving(project: Project, entry: EntryPoint) -> Iterator[TestClient]:
    """Serve a project from an empty log and event store."""
    for path in Path().glob("*.db*"):
        if path.name.startswith(("predictions", "state")):
            path.unlink()
    Path("simulation.json").unlink(missing_ok=True)
    if project.events:
        resolve_name("project_package.lifecycle.backfill:backfill")(project)
    task = project.training.make_task
    settings = project.settings.model_copy(update={"serve_keys": "off"})
    with TestClient(create_app(task, settings, Path.cwd(), entry.open_events)) as client:
        yield client


def days(project: Project, entry: EntryPoint, damage: str, count: int) -> Iterator[Findings]:
    """Yield what monitoring finds after each day of a stream."""
    with serving(project, entry) as client:
        run = Drill(project, client)
        for _ in range(count):
            run.day(damage)
            yield run.found


def measure(use_case: str, changes: Sequence[str]) -> list[str]:
    """Train a champion in the working folder; return the paragraphs of a use case."""
    package = f"project_package.{use_case}"
    entry = import_module(f"{package}.entry_point").ENTRY
    with entry.open_project(changes, quiet=True) as project:
        pipeline(project)
        # 1. Count false alarms, and compare estimates with what was measured.
        alarms = 0
        errors = {}
        for found in days(project, entry, "", DAYS):
            alarms += bool(found.alarms)
            for window in found.windows:
                if window.realised and window.estimated:
                    error = abs(window.realised.estimate - window.estimated.estimate)
                    errors[window.start] = error
        label = project.training.goal.label
        damages = project.training.simulation.damages if project.training.simulation else {}
        late = project.training.simulation.label_days if project.training.simulation else 0
    # 2. Count in how many streams a damage is found.
    rows = []
    for damage in damages:
        reasons: list[str] = []
        missed = 0
        for seed in SEEDS:
            with entry.open_project([*changes, f"seed={100 + seed}"], quiet=True) as project:
                first = next(
                    (
                        found
                        for found in days(project, entry, damage, late + WINDOWS)
                        if found.alarms
                    ),
                    None,
                )
            missed += first is None
            reasons += {alarm.reason for alarm in first.alarms} if first else ()
        counts = ", ".join(f"{reason} {reasons.count(reason)}" for reason in sorted({*reasons}))
        rows.append((f"`{damage}`", f"{len(SEEDS) - missed} of {len(SEEDS)}", counts))
    summary = (
        f"False alarms: {alarms} of {DAYS} days. Error of the estimate of {label}: "
        f"{np.mean([*errors.values()]):.3f}, over {len(errors)} days."
    )
    return [f"## {use_case}", summary, report.table(("damage", "found", "first reasons"), rows)]


def main() -> None:
    """Measure every use case, and write the report."""
    parts = ["# Monitoring: quality", report.measured_on(LIBRARIES, "make bench"), PROTOCOL]
    for use_case, changes in USE_CASES.items():
        with TemporaryDirectory() as folder, chdir(folder):
            for kind in ("params", "schema"):
                if (source := PROGRAM / f"{kind}.{use_case}.toml").exists():
                    text = PLACEHOLDER.sub("bench", source.read_text(encoding="utf-8"))
                    Path(f"{kind}.toml").write_text(text, encoding="utf-8")
            parts += measure(use_case, changes)
    report.write(Path(__file__).with_suffix(".md"), parts)


if __name__ == "__main__":
    main()
