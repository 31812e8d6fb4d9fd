"""Quality of monitoring: writes monitoring_quality.md beside this file.

For each use case a champion is trained, and a server answers simulated days. Days without a damage
count false alarms; days with each damage, in streams with other seeds, count what is found.
"""

import gc
import re
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import report
from fastapi.testclient import TestClient

import project_package
from project_package.cli import EntryPoint
from project_package.contract.simulation import Simulation
from project_package.lifecycle.pipeline import pipeline
from project_package.lifecycle.project import Project
from project_package.monitoring.drill import Drill
from project_package.monitoring.findings import Findings, WindowResult
from project_package.serving.app import create_app

PROGRAM = Path(project_package.__file__).parents[2]
PLACEHOLDER = re.compile(r"\{\{.*?\}\}")
"""What the template fills in."""
LIBRARIES = ("numpy", "scipy", "scikit-learn", "xgboost-cpu")
STREAMS = range(10)
WINDOWS = 3
NORMAL = 5
"""Streams with each damage; windows in which it must be found; a stream begins with fewer normal
days than this."""


@dataclass(frozen=True)
class Plan:
    """How a use case is measured."""

    days: int
    """Days without a damage, for each champion."""
    champions: Sequence[Sequence[str]] = ((),)
    """Changes of parameters: a champion each."""


PLANS = {
    "tabular": Plan(50, [[f"seed={seed}"] for seed in range(4)]),
    "fraud": Plan(
        67,
        [
            ["data.customers=2000", "data.terminals=4000", f"data.seed={seed}"]
            for seed in range(1, 4)
        ],
    ),
    "demand": Plan(54),
    "segments": Plan(24),
}
PROTOCOL = f"""\
Champions are trained with the defaults: four of a table, of other rows each; three of payments, on
other 2,000 cards and 4,000 terminals each; one of the others. A server answers simulated days,
which are weeks for demand, and months for segments. What becomes known arrives a day later, of
payments a week later. After each day `ml monitor` judges it, and the newest day with labels.
Images and recommendations are not measured: hundreds of days of them take hours.

*False alarms* are days without a damage that raise any alarm; the goal is under 1 in 20. *Found* is
in how many of {len(STREAMS)} streams an alarm is raised within {WINDOWS} windows, counted from the
first labels; the goal is 9. A stream begins with 0 to {NORMAL - 1} normal days. For the metric that
decides, *error of the estimate* is the mean distance, over days, of what was estimated without
labels from what was measured with them."""


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
    gc.unfreeze()  # a server freezes what is loaded, and here many servers share a process


def simulation_of(project: Project) -> Simulation:
    """Return the simulated traffic of a project."""
    if project.training.simulation is None:
        raise ValueError("there is no simulated traffic to measure with")
    return project.training.simulation


def days(
    project: Project, entry: EntryPoint, normal: int, damage: str
) -> Generator[Findings, None, None]:
    """Yield what monitoring finds after each day of a stream, once its normal days were sent."""
    with serving(project, entry) as client:
        run = Drill(project, client)
        for _ in range(normal):
            run.stream.send()
        while True:
            run.day(damage)
            yield run.found


def list_counts(counts: Counter[str]) -> str:
    """Return counts as a text."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


@contextmanager
def folder_of(use_case: str) -> Iterator[EntryPoint]:
    """Work in an empty folder with the parameters of a use case."""
    with TemporaryDirectory() as folder, chdir(folder):
        for kind in ("params", "schema"):
            if (source := PROGRAM / f"{kind}.{use_case}.toml").exists():
                text = PLACEHOLDER.sub("bench", source.read_text(encoding="utf-8"))
                Path(f"{kind}.toml").write_text(text, encoding="utf-8")
        yield import_module(f"project_package.{use_case}.entry_point").ENTRY


def false_alarms(
    entry: EntryPoint, changes: Sequence[str], count: int
) -> tuple[Counter[str], list[float]]:
    """Train a champion; return the alarms of days without a damage, and errors of estimates.

    Of the alarms, `any` counts the days.
    """
    alarms: Counter[str] = Counter()
    known: dict[datetime, WindowResult] = {}
    with entry.open_project(changes, quiet=True) as project:
        pipeline(project)
        with closing(days(project, entry, 0, "")) as seen:
            for found in islice(seen, count):
                reasons = {alarm.reason for alarm in found.alarms}
                alarms.update([*reasons, "any"] if reasons else [])
                known |= {window.start: window for window in found.windows}
    scores = [(window.realised, window.estimated) for window in known.values()]
    return alarms, [abs(a.estimate - b.estimate) for a, b in scores if a and b]


def detections(entry: EntryPoint, changes: Sequence[str], damage: str) -> tuple[int, Counter[str]]:
    """Return in how many streams a damage is found by the champion, and the first alarms."""
    found_in = 0
    firsts: Counter[str] = Counter()
    for stream in STREAMS:
        with entry.open_project([*changes, f"seed={100 + stream}"], quiet=True) as project:
            limit = simulation_of(project).label_days + WINDOWS
            with closing(days(project, entry, stream % NORMAL, damage)) as seen:
                first = next((found for found in islice(seen, limit) if found.alarms), None)
        if first:
            found_in += 1
            firsts.update({alarm.reason for alarm in first.alarms})
    return found_in, firsts


class Measured(NamedTuple):
    """What was measured with a champion."""

    alarms: Counter[str]
    errors: list[float]
    detections: dict[str, tuple[int, Counter[str]]]
    """By damage: see `detections`."""
    label: str


def measure_champion(use_case: str, plan: Plan, number: int) -> Measured:
    """Train a champion, and measure its false alarms; with the last one, also the damages."""
    changes = plan.champions[number]
    with folder_of(use_case) as entry:
        alarms, errors = false_alarms(entry, changes, plan.days)
        with entry.open_project(changes, quiet=True) as project:
            is_last = number + 1 == len(plan.champions)
            damages = [*simulation_of(project).damages] if is_last else []
            label = project.training.goal.label
        found = {damage: detections(entry, changes, damage) for damage in damages}
    return Measured(alarms, errors, found, label)


def measure(use_case: str, plan: Plan) -> list[str]:
    """Return the paragraphs of a use case."""
    alarms: Counter[str] = Counter()
    errors: list[float] = []
    for number in range(len(plan.champions)):
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:  # MLflow keeps its database open
            measured = pool.submit(measure_champion, use_case, plan, number).result()
        alarms += measured.alarms
        errors += measured.errors
    rows = [
        (f"`{damage}`", f"{found_in} of {len(STREAMS)}", list_counts(firsts))
        for damage, (found_in, firsts) in measured.detections.items()
    ]
    total = alarms.pop("any", 0)
    summary = f"False alarms: {total} of {plan.days * len(plan.champions)} days"
    summary += f" ({list_counts(alarms)})." if alarms else "."
    if errors:
        mean = np.mean(errors)
        label = measured.label
        summary += f" Error of the estimate of {label}: {mean:.3f}, over {len(errors)} days."
    return [f"## {use_case}", summary, report.table(("damage", "found", "first reasons"), rows)]


def main() -> None:
    """Measure every use case, and write the report."""
    parts = ["# Monitoring: quality", report.measured_on(LIBRARIES, "make bench"), PROTOCOL]
    for use_case, plan in PLANS.items():
        parts += measure(use_case, plan)
    report.write(Path(__file__).with_suffix(".md"), parts)


if __name__ == "__main__":
    main()
