"""The report: one HTML file that a stakeholder can read, print and send; it loads nothing."""

from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType

from jinja2 import Environment, StrictUndefined

from .document import Document, findings, number, verdict
from .drawing import svg
from .evaluation import Score, SliceScore

NAMES = MappingProxyType({"model": "Model", "baseline": "Simple baseline", "naive": "No model"})


def render(document: Document) -> str:
    """Write the report of a model: the same document gives the same text."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = number
    source = resources.files(__package__).joinpath("report.html").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        about=document.about,
        manifest=document.manifest,
        evaluation=document.evaluation,
        parity=document.manifest.parity,
        goal=document.goal,
        names=NAMES,
        verdict=verdict(document),
        findings=findings(document),
        bars={score.name: bars(score) for score in document.evaluation.scores},
        slice_bars=slice_bars(document.evaluation.slices),
        figures=[(figure, svg(figure)) for figure in document.figures],
    )


def bars(score: Score) -> Mapping[str, float]:
    """Give the length of each bar of a score from 0 to 100, all from zero and on one scale.

    Beside the three contenders: `low` and `high`, the model one spread down and up, and
    `ceiling`, which is 0 where there is none.
    """
    values = {
        "model": score.model,
        "low": score.model - score.spread,
        "high": score.model + score.spread,
        "baseline": score.baseline,
        "naive": score.naive,
        "ceiling": score.ceiling,
    }
    return _lengths(values)


def slice_bars(slices: tuple[SliceScore, ...]) -> Mapping[str, Mapping[str, float]]:
    """Give the bars of every slice, all on one scale."""
    values = {f"{s.name}/{who}": v for s in slices for who, v in _pair(s).items()}
    lengths = _lengths(values)
    return {s.name: {who: lengths[f"{s.name}/{who}"] for who in _pair(s)} for s in slices}


def _pair(part: SliceScore) -> Mapping[str, float | None]:
    return {"model": part.model, "baseline": part.baseline}


def _lengths(values: Mapping[str, float | None]) -> dict[str, float]:
    """Scale to the longest; what is negative or not a number has no length."""
    positive = {name: v if v is not None and v > 0 else 0.0 for name, v in values.items()}
    longest = max(positive.values(), default=0.0) or 1.0
    return {name: round(100 * value / longest, 2) for name, value in positive.items()}
