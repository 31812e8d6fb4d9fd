"""What happened in a drill: a table, reports/drill.json, and the picture drill.svg."""

from functools import partial
from pathlib import Path
from typing import Any

from ..contract.about import Figure
from ..frozen import Frozen
from ..lifecycle.project import Project
from ..lifecycle.report import picture
from ..lifecycle.workspace import Workspace, replace_text
from ..plot_parts import label_axes
from .findings import KINDS, WindowResult


class Event(Frozen):
    """Something that happened, after a day from 1."""

    day: int
    what: str


class Timeline(Frozen):
    """What happened in a drill."""

    damage: str
    windows: tuple[WindowResult, ...]
    """The days, each with its final score: that of the last has no labels."""
    events: tuple[Event, ...]
    requests: int
    """Requests that were sent while the new model was trained and taken; none failed."""


def write(project: Project, home: Path, timeline: Timeline) -> None:
    """Write the timeline and its picture into the project's reports, and print it."""
    reports = Workspace(home).reports
    replace_text(reports / "drill.json", timeline.model_dump_json(indent=2))
    label = project.training.goal.label
    figure = Figure("drill", "Quality by day", "", partial(draw, timeline=timeline, label=label))
    replace_text(reports / "drill.svg", picture(figure))
    rows = []
    for day, window in enumerate(timeline.windows, 1):
        events = "; ".join(event.what for event in timeline.events if event.day == day)
        rows.append((str(day), window.version, f"{window.rows:,}", *window.texts, events))
    header = ("day", "version", "answers", label, "estimate", "PSI", "after this day")
    project.console.table("Drill", header, rows)


def draw(axes: Any, timeline: Timeline, label: str) -> None:
    """Draw measured and estimated quality by day, or else drift, with the events."""
    days = list(enumerate(timeline.windows, 1))
    lines = {
        text: [(day, score.estimate) for day, w in days if (score := getattr(w, kind))]
        for kind, text in KINDS.items()
    }
    if not any(lines.values()):
        label = "stability index (PSI)"
        lines = {"of the value that changed most": [(day, w.largest_psi) for day, w in days]}
    for text, points in lines.items():
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=text)
    axes.set_ylim(0, 1.35 * axes.get_ylim()[1])  # with room for the events
    for number, event in enumerate(timeline.events):
        axes.axvline(event.day + 0.5, color="C2", linewidth=1)
        height = 0.97 - 0.07 * (number % 3)
        place = axes.get_xaxis_transform()
        axes.text(event.day + 0.5, height, f" {event.what}", transform=place, va="top")
    axes.locator_params(axis="x", integer=True)
    label_axes(axes, "day", label)
