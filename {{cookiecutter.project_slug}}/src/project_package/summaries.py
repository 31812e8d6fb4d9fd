"""What people read about a model, as JSON in the model store.

Promotion and monitoring write it, and the server shows it on its page.
"""

from datetime import datetime

from .frozen import Frozen

SUMMARY = "summary.json"
"""The evidence of a version that is a `Summary`."""
NEWS = "pages/news.json"
"""The file of the model store that is a `News`."""
PAGES = ("monitor.html", "checklist.html")
PAGE = "pages/{name}"
"""What `ml monitor` and `ml checklist` found last, as pages in the model store."""


class Summary(Frozen):
    """What a version is for, and how good it was on its test."""

    title: str
    question: str
    use: str
    """What the answer is for, and who acts on it."""
    headline: str
    findings: tuple[str, ...]
    measure: str
    """The metric that decides, and what it says."""
    scores: dict[str, float]
    """Scores by that metric: model, simple baseline, no model."""


class News(Frozen):
    """What `ml monitor` found last."""

    version: str
    """The champion then."""
    until: datetime
    sentences: tuple[str, ...]
    alarms: tuple[str, ...]
