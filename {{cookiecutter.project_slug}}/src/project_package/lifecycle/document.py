"""The content of report and model card: what is known about a model, and sentences about it."""

import math
from dataclasses import dataclass

from ..bundle import Manifest
from ..contract import About, Figure
from .scoring import Evaluation, Score

DASH = "–"  # noqa: RUF001 - shown where a number is not defined


@dataclass(frozen=True)
class Document:
    """A model, its origin and its test scores."""

    about: About
    manifest: Manifest
    evaluation: Evaluation
    figures: tuple[Figure, ...]
    summary: tuple[str, ...] = ()
    """Sentences of the use case about its test."""

    @property
    def goal(self) -> Score:
        """The score that decides."""
        return self.evaluation.score(self.evaluation.goal)


def number(value: float | None) -> str:
    """Format a score: three decimals, fewer for large values, a dash when it is not defined."""
    if value is None or not math.isfinite(value):
        return DASH
    decimals = 3 if abs(value) < 10 else 1 if abs(value) < 1000 else 0
    return f"{value:,.{decimals}f}"


def verdict(document: Document) -> str:
    """Compare the model with the simple baseline in one sentence."""
    better, spread = document.goal.gain, document.goal.spread
    if better <= 0:
        return "The model is no better than the simple baseline."
    if better <= spread:
        return "The model is slightly better than the simple baseline."
    return "The model is clearly better than the simple baseline."


def findings(document: Document) -> tuple[str, ...]:
    """Describe the test scores in sentences, the most important first."""
    goal = document.goal
    first = (
        f"{goal.label}: the model reaches {number(goal.model)}, the simple baseline "
        f"{number(goal.baseline)}, and no model {number(goal.naive)}. "
        f"{'Higher' if goal.higher_is_better else 'Lower'} is better."
    )
    others = (_difference(goal), _behind(document), _weakest(document))
    return (*document.summary, first, *(text for text in others if text))


def _difference(score: Score) -> str:
    if not math.isfinite(score.gain):
        return ""
    gain, side = abs(score.gain), "better" if score.gain > 0 else "worse"
    much = f"{gain / score.baseline:.0%}" if score.baseline > 0 else number(gain)
    text = f"That is {much} {side} than the simple baseline"
    if len(score.periods) < 2:
        return f"{text}."
    size = "more" if gain > score.spread else "no more"
    low, high = number(min(score.periods)), number(max(score.periods))
    return (
        f"{text}, {size} than the score moves by itself: over {len(score.periods)} test periods "
        f"it lay between {low} and {high}."
    )


def _behind(document: Document) -> str:
    names = [score.label for score in document.evaluation.scores if score.gain < 0]
    return f"The simple baseline is better in: {', '.join(names)}." if names else ""


def _weakest(document: Document) -> str:
    goal = document.goal
    sign = 1 if goal.higher_is_better else -1
    scored = [(score, p) for p in document.evaluation.slices if (score := p.scores[goal.name])]
    if len(scored) < 2:
        return ""
    score, part = min(scored, key=lambda pair: sign * pair[0].model)
    return f"It is weakest on “{part.name}”: {number(score.model)} on {part.rows:,} rows."
