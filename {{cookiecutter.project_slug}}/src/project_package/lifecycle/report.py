"""The report, one HTML file that loads nothing; the model card (Mitchell et al. 2019); figures.

The figures share one style, report.mplstyle. Its colours are placeholders: in the SVG that
matplotlib writes, each is replaced by a CSS variable, so one picture fits light and dark screens.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from importlib import resources
from importlib.resources.abc import Traversable

import matplotlib
import numpy as np
from jinja2 import Environment, StrictUndefined
from matplotlib.figure import Figure as Canvas

from ..bundle import Manifest
from ..columns import TIMESTAMP, Columns, length
from ..contract.about import About, Figure
from ..plot_parts import CONTENDERS
from ..summaries import Summary
from .gate import Verdict
from .scores import Evaluation, Score, number

# Blue, orange and grey differ for colour-blind readers too; in print, line styles differ.
COLOURS: Mapping[str, str] = {
    "#1d5fc1": "var(--model)",
    "#b8500f": "var(--baseline)",
    "#737c87": "var(--naive)",
    "#57606b": "var(--quiet)",
    "#e1e4e8": "var(--line)",
    "#fdfdfe": "var(--paper)",
}
NAMES = {who: text.capitalize() for who, text in CONTENDERS.items()}
TEMPLATES = resources.files(__package__)
STYLE = str(TEMPLATES / "report.mplstyle")
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@dataclass(frozen=True)
class Document:
    """A model, its origin and its test scores."""

    about: About
    manifest: Manifest
    evaluation: Evaluation
    figures: tuple[Figure, ...]
    summary: tuple[str, ...] = ()
    """Sentences of the use case about its test; the first follows the headline."""
    train: str = ""
    """The rows that the model was fitted on: how many, of which days; see `extent`."""
    test: str = ""
    verdicts: tuple[Verdict, ...] = ()
    """The rules of the gate with their outcome; none before `ml promote`."""

    @property
    def goal(self) -> Score:
        """The score that decides."""
        return self.evaluation.score(self.evaluation.goal)


def render(document: Document) -> str:
    """Render the report as HTML; the same document gives the same text."""
    figures = [(figure, svg(figure)) for figure in document.figures]
    return fill(TEMPLATES / "report.html", _context(document) | {"figures": figures})


def card(document: Document) -> str:
    """Render the model card as Markdown; the same document gives the same text."""
    return fill(TEMPLATES / "card.jinja", _context(document))


def summarise(document: Document) -> Summary:
    """Return what the page of the server says about the model."""
    about = document.about
    goal = document.goal
    better = "Higher" if goal.higher_is_better else "Lower"
    return Summary(
        title=about.title,
        question=about.question,
        use=about.use,
        headline=headline(document),
        findings=document.summary,
        measure=f"{goal.label}: {goal.meaning} {better} is better.",
        scores={name: getattr(goal, who) for who, name in NAMES.items()},
    )


def fill(template: Traversable, context: Mapping[str, object]) -> str:
    """Render a template; HTML is escaped by Jinja, Markdown by the filter `text`.

    HTML can have the `style` of the report, CSS.
    """
    environment = Environment(
        autoescape=template.name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"number": number, "text": _text}
    style = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    source = template.read_text(encoding="utf-8")
    return environment.from_string(source).render(context, style=style)


def _context(document: Document) -> dict[str, object]:
    slices = " ".join(part.name for part in document.evaluation.slices)
    return vars(document) | {
        "goal": document.goal,
        "names": NAMES,
        "headline": headline(document),
        "averaging": averaging(document),
        "terms": {term: text for term, text in document.about.terms.items() if term in slices},
        "lost": ", ".join(s.label for s in document.evaluation.scores if s.gain < 0),
        "passed": all(rule.passed for rule in document.verdicts),
    }


def _text(text: str) -> str:
    """Escape text for Markdown: one line, no new table cell, no HTML tag."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def extent(rows: Columns, what: str) -> str:
    """Describe rows: how many, of what, and of which days if they have a time."""
    text = f"{length(rows):,} {what}"
    if TIMESTAMP not in rows:
        return text
    first, last = (np.datetime64(int(f(rows[TIMESTAMP])), "ms").item() for f in (np.min, np.max))
    return f"{text}, from {first:%Y-%m-%d} to {last:%Y-%m-%d}"


def averaging(document: Document) -> str:
    """Explain in one sentence what a score and its spread are of."""
    periods = f"the {len(document.goal.periods)} {document.about.periods} of the test"
    if document.evaluation.pooled:
        return f"A score is of all test rows together, ± its standard deviation over {periods}."
    return f"A score is the mean over {periods}, ± its standard deviation over them."


def headline(document: Document) -> str:
    """Compare the model with the simple baseline, and name the parts where it is clearly worse.

    It also says when the metric called `cost` is worse than for the baseline or without a model.
    """
    goal = document.goal
    costs = [score for score in document.evaluation.scores if score.name == "cost"]
    is_costly = any(cost.model > min(cost.baseline, cost.naive) for cost in costs)
    costly = " Decisions by the simple baseline or without a model cost less." if is_costly else ""
    scored = [(part.name, part.scores[goal.name]) for part in document.evaluation.slices]
    worse = [f"“{name}”" for name, score in scored if score and -score.gain > score.spread]
    if goal.gain <= 0:
        return f"The model is no better than the simple baseline.{costly}"
    degree = "clearly" if goal.gain > goal.spread else "slightly"
    but = f", but clearly worse on {', '.join(worse)}" if worse else ""
    return f"The model is {degree} better than the simple baseline{but}.{costly}"


def svg(figure: Figure) -> str:
    """Draw a figure as an SVG element of a page; the same figure gives the same text.

    It has the colours of the page, and a title for screen readers.
    """
    _, box, body = re.split(r'<svg[^>]*(viewBox="[^"]*")[^>]*>', picture(figure), maxsplit=1)
    body = re.sub(r'<g id="[^"]*"', "<g", body)  # every figure has a figure_1: ids must be unique
    for colour, variable in COLOURS.items():
        body = body.replace(colour, variable)
    return f'<svg {box} role="img" aria-label="{escape(figure.title)}">{body.strip()}'


def picture(figure: Figure) -> str:
    """Draw a figure as an SVG file with the shared style; the same figure gives the same text."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": figure.name}, STYLE):
        canvas = Canvas()
        figure.draw(canvas.add_subplot())
        canvas.savefig(buffer, format="svg", metadata=NO_METADATA)
    return buffer.getvalue()
