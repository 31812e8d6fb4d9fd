"""The report, one HTML file that loads nothing; the model card (Mitchell et al. 2019); figures.

The figures share one style, report.mplstyle. Its colours are placeholders: in the SVG that
matplotlib writes, each is replaced by a CSS variable, so one picture fits light and dark screens.
"""

import io
import re
from collections.abc import Mapping
from html import escape
from importlib import resources
from types import MappingProxyType

import matplotlib
from jinja2 import Environment, StrictUndefined
from matplotlib.figure import Figure as Canvas

from ..contract import Figure
from .document import Document, findings, number, verdict
from .scoring import Evaluation, Score

NAMES = MappingProxyType({"model": "Model", "baseline": "Simple baseline", "naive": "No model"})


def render(document: Document) -> str:
    """Render the report as HTML; the same document gives the same text."""
    return _fill(
        "report.html",
        document,
        names=NAMES,
        bars={score.name: bars(score) for score in document.evaluation.scores},
        slice_bars=slice_bars(document.evaluation),
        figures=[(figure, svg(figure)) for figure in document.figures],
    )


def card(document: Document) -> str:
    """Render the model card as Markdown; the same document gives the same text."""
    return _fill("card.jinja", document)


def _fill(name: str, document: Document, **more: object) -> str:
    """Render a template; Markdown text is escaped by `_text`."""
    environment = Environment(
        autoescape=name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "text": _text}
    source = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    return environment.from_string(source).render(
        vars(document) | more,
        goal=document.goal,
        verdict=verdict(document),
        findings=findings(document),
    )


def _text(text: str) -> str:
    """Escape text for Markdown: one line, no new table cell, no HTML tag."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def bars(score: Score) -> Mapping[str, float]:
    """Return the length of each bar of a score from 0 to 100, all on one scale from zero.

    Besides the three contenders: `low` and `high`, the model minus and plus one spread, and
    `ceiling`, which is 0 when there is none.
    """
    values = score.model_dump(include={"model", "baseline", "naive", "ceiling"})
    low, high = score.model - score.spread, score.model + score.spread
    return _lengths({**values, "low": low, "high": high})


def slice_bars(evaluation: Evaluation) -> Mapping[str, Mapping[str, float]]:
    """Return the bars of the goal's metric on every slice that defines it, on one scale."""
    scored = {p.name: score for p in evaluation.slices if (score := p.scores[evaluation.goal])}
    values = {f"model {name}": score.model for name, score in scored.items()}
    values |= {f"baseline {name}": score.baseline for name, score in scored.items()}
    lengths = _lengths(values)
    return {n: {who: lengths[f"{who} {n}"] for who in ("model", "baseline")} for n in scored}


def _lengths(values: Mapping[str, float | None]) -> dict[str, float]:
    """Scale to the longest; a negative or undefined value has length 0."""
    positive = {name: v if v is not None and v > 0 else 0.0 for name, v in values.items()}
    longest = max(positive.values(), default=0.0) or 1.0
    return {name: round(100 * value / longest, 2) for name, value in positive.items()}


# Blue, orange and grey differ for colour-blind readers too; in print, line styles differ.
COLOURS = MappingProxyType(
    {
        "#1d5fc1": "var(--model)",
        "#b8500f": "var(--baseline)",
        "#737c87": "var(--naive)",
        "#57606b": "var(--quiet)",
        "#e1e4e8": "var(--line)",
        "#fdfdfe": "var(--paper)",
    }
)
SIZE_INCHES = (6.6, 3.6)

STYLE = str(resources.files(__package__) / "report.mplstyle")
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def svg(figure: Figure) -> str:
    """Draw a figure as an SVG element of a page; the same figure gives the same text."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": figure.name}, STYLE):
        canvas(figure).savefig(buffer, format="svg", metadata=NO_METADATA)
    return _inline(buffer.getvalue(), figure.title)


def canvas(figure: Figure) -> Canvas:
    """Draw a figure with the shared style."""
    with matplotlib.rc_context(fname=STYLE):
        drawn = Canvas(figsize=SIZE_INCHES, layout="constrained")
        figure.draw(drawn.add_subplot())
    return drawn


def _inline(text: str, title: str) -> str:
    """Make an SVG file an element of the page: its colours, and a title for screen readers."""
    text = text[text.index("<svg") :]
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # every figure has a figure_1: ids must be unique
    box = re.search(r'viewBox="[^"]*"', text)
    label = escape(title)
    head = f'<svg {box.group() if box else ""} role="img" aria-label="{label}">'
    text = re.sub(r"^<svg[^>]*>", lambda _: head, text)
    for colour, variable in COLOURS.items():
        text = text.replace(colour, variable)
    return text.strip()
