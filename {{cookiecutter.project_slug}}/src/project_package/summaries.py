"""What people read about a model, as JSON in the model store.

Promotion and monitoring write it, and the server shows it on its page.
"""

from datetime import datetime

from .frozen import Frozen

SUMMARY = "summary.json"
"""The evidence of a version that is a `Summary`."""
NEWS = "monitor/news.json"
MONITOR_PAGE = "monitor/monitor.html"
"""Files of the model store that `ml monitor` replaces: a `News`, and its page."""


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
    """By it: of the model, of the simple baseline, and without a model."""


class News(Frozen):
    """What `ml monitor` found last."""

    version: str
    """The champion then."""
    until: datetime
    sentences: tuple[str, ...]
    alarms: tuple[str, ...]
