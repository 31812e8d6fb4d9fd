"""The page of `ml monitor`, one HTML file that loads nothing: first words, then figures."""

from collections.abc import Sequence
from functools import partial
from importlib import resources
from typing import Any

from ..contract.about import About, Figure
from ..contract.training import Metric
from ..lifecycle.report import fill, svg
from ..lifecycle.scores import Score, number
from ..plot_parts import REFERENCE, label_axes
from .findings import KINDS, REPAIR, WRONG_VALUES, Findings, WindowResult

SHOWN = 12
"""Values of the figure of drift, at most: those that changed most."""


def render(found: Findings, about: About, metric: Metric, test: Score) -> str:
    """Render what was found.

    Args:
        found: of `monitor.watch`.
        about: the texts of the report.
        metric: the goal.
        test: the champion's score by it on its test rows.
    """
    newest = next((w for w in reversed(found.windows) if w.drifts), None)
    figures = draw_figures(found.windows, metric, test)
    context = {
        "found": found,
        "about": about,
        "label": metric.label,
        "sentences": sentences(found, metric, test),
        "until": f"{found.windows[-1].end:%Y-%m-%d %H:%M} UTC",
        "newest": newest,
        "scored": next((w for w in reversed(found.windows) if w.slices), None),
        "figures": [(figure, svg(figure)) for figure in figures],
    }
    return fill(resources.files(__package__) / "page.html", context)


def sentences(found: Findings, metric: Metric, test: Score) -> list[str]:
    """Say what happened and what to do, in at most five sentences; the first says what to do."""
    reasons = {alarm.reason for alarm in found.alarms}
    actions = [text for reason, text in REPAIR.items() if reason in reasons]
    if any(alarm.retrain for alarm in found.alarms) and not reasons & {*WRONG_VALUES}:
        actions.append(
            "Train a new model: ml retrain does so, and keeps the old one if it is better."
        )
    first = " ".join(actions[:2]) or "Nothing has to be done."
    answered = [window for window in found.windows if window.version == found.version]
    if not any(window.drifts for window in answered):
        return [first, f"Version {found.version} gave too few answers to judge it."]
    total = sum(window.rows for window in answered)
    since = f"{answered[0].start:%Y-%m-%d %H:%M}"
    texts = [first, f"Version {found.version} gave {total:,} answers since {since}."]
    scores = {kind: number(score) for kind, score in found.newest_scores.items()}
    if now := scores.get("realised"):
        was = number(test.model)
        texts.append(f"With labels, {metric.label} was {now} lately; it was {was} on test rows.")
    if now := scores.get("estimated"):
        texts.append(f"Of the newest answers it is about {now}, estimated without labels.")
    if changed := [a.detail for a in found.alarms if a.reason in ("drift", "broken")]:
        texts.append(f"These values are not as they were in training: {', '.join(changed)}.")
    else:
        texts.append("All values are distributed as they were in training.")
    return texts[:5]


def draw_figures(windows: Sequence[WindowResult], metric: Metric, test: Score) -> list[Figure]:
    """Return the figures that the windows allow."""
    figures = []
    if any(window.realised or window.estimated for window in windows):
        draw = partial(draw_quality, windows=windows, label=metric.label, test=test.model)
        caption = "Measured once labels are known, and estimated before; the band holds chance."
        figures.append(Figure("quality", metric.label, caption, draw))
    if drifted := [window for window in windows if window.drifts]:
        caption = "The stability index in the newest window, of the values that changed most."
        draw = partial(draw_drift, window=drifted[-1])
        figures.append(Figure("drift", "Which values changed", caption, draw))
    return figures


def draw_quality(axes: Any, windows: Sequence[WindowResult], label: str, test: float) -> None:
    """Draw measured and estimated scores over time, beside the score on the test rows."""
    for colour, (kind, text) in enumerate(KINDS.items()):
        found = [(w.start, getattr(w, kind)) for w in windows if getattr(w, kind)]
        if found:
            times = [time for time, _ in found]
            axes.plot(times, [score.estimate for _, score in found], marker="o", label=text)
            bounds = ([score.low for _, score in found], [score.high for _, score in found])
            axes.fill_between(times, *bounds, color=f"C{colour}", alpha=0.15, linewidth=0)
    axes.set_xlim(windows[0].start, windows[-1].end)
    axes.axhline(test, **REFERENCE, label="on the test rows")
    axes.tick_params(axis="x", rotation=30)
    label_axes(axes, "", label)


def draw_drift(axes: Any, window: WindowResult) -> None:
    """Draw the stability index of the values that changed most."""
    largest = sorted(window.drifts, key=lambda drift: drift.psi)[-SHOWN:]
    colours = ["C1" if d.is_drifted or d.is_broken else "C0" for d in largest]
    axes.barh([drift.name for drift in largest], [d.psi for d in largest], color=colours)
    axes.set(xlabel="stability index (PSI)")
