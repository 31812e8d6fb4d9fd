"""Drawing: a figure of a use case as SVG that sits in a page and follows its colours.

The figures share one style. Its colours are names in disguise: after matplotlib has written the
SVG, each becomes a CSS variable of the page, so one picture serves a light and a dark screen.
"""

import io
import re
from html import escape
from importlib import resources
from types import MappingProxyType

import matplotlib
from matplotlib.figure import Figure as Canvas

from ..contract import Figure

# Blue, orange and grey stay apart for colour-blind readers; line styles tell them apart in print.
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
    """Draw a figure as an SVG element for a page: the same figure gives the same text."""
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
    """Cut what only a file of its own needs, and give the page's colours and a spoken title."""
    text = text[text.index("<svg") :]
    text = re.sub(r'<g id="[^"]*"', "<g", text)  # every figure has a figure_1: ids must be unique
    box = re.search(r'viewBox="[^"]*"', text)
    label = escape(title)
    head = f'<svg {box.group() if box else ""} role="img" aria-label="{label}">'
    text = re.sub(r"^<svg[^>]*>", lambda _: head, text)
    for colour, variable in COLOURS.items():
        text = text.replace(colour, variable)
    return text.strip()
