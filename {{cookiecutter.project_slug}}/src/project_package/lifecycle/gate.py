"""The gate: every rule a challenger must pass before it becomes the champion. Pure functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from timeit import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..bundle import Parity
from ..contract import Columns, Goal, Metric, Promote, length
from .evaluation import Evaluation, Slice


@dataclass(frozen=True)
class Verdict:
    """What one rule said, with the numbers."""

    rule: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Interval:
    """Challenger minus champion, in the direction that is better: estimate and bounds."""

    estimate: float
    low: float
    high: float


def paired_bootstrap(
    goal: Goal,
    rows: Columns,
    contenders: tuple[Columns, Columns],
    units: NDArray[Any],
    promote: Promote,
) -> Interval:
    """Compare two predictions of the same rows by resampling units (Efron 1979).

    Each resample draws the units with replacement and weighs both contenders' rows alike, so what
    the rows have in common cancels out. The bounds hold with `promote.confidence`, one-sided.
    """
    challenger, champion = (goal.weighted(rows, predictions) for predictions in contenders)
    codes = np.unique(units, return_inverse=True)[1]
    count = int(codes.max()) + 1
    random = np.random.default_rng(0)
    even = np.ones(len(codes))
    differences = np.empty(promote.resamples)
    for index in range(promote.resamples):
        drawn = np.bincount(random.integers(0, count, count), minlength=count)
        weights = drawn[codes].astype(np.float64)
        differences[index] = challenger(weights) - champion(weights)
    low, high = np.quantile(differences, [1 - promote.confidence, promote.confidence])
    return Interval(challenger(even) - champion(even), float(low), float(high))


def beats(metric: Metric, evaluation: Evaluation, goal: Goal) -> list[Verdict]:
    """Demand the goal's floor, and a better score than naive and baseline."""
    score = evaluation.score(metric.name)
    rivals = {
        "goal": (goal.floor, "the least to accept"),
        "naive": (score.naive, "without a model"),
        "baseline": (score.baseline, "the simple model"),
    }
    verdicts = []
    for rule, (value, meaning) in rivals.items():
        detail = f"{metric.label} {score.model:.3f} against {value:.3f}, {meaning}"
        verdicts.append(Verdict(rule, metric.gain(score.model, value) > 0, detail))
    return verdicts


def champion(metric: Metric, difference: Interval, promote: Promote) -> Verdict:
    """Demand that the challenger is not worse than the champion by more than the margin."""
    low = difference.low if metric.higher_is_better else -difference.high
    estimate = difference.estimate if metric.higher_is_better else -difference.estimate
    return Verdict(
        "champion",
        low >= -promote.margin,
        f"{metric.label} {estimate:+.4f} against the champion; with {promote.confidence:.0%} "
        f"confidence at least {low:+.4f}, allowed {-promote.margin:+.4f}",
    )


def slices(metric: Metric, parts: Sequence[Slice], promote: Promote) -> list[Verdict]:
    """Demand that no guarded slice loses more than its limit against its reference.

    The reference stands in the place of the baseline: the champion, while there is one.
    """
    scores = {part.name: part.scores[metric.name] for part in parts}
    verdicts = []
    for name in promote.guarded:
        if (score := scores.get(name)) is None:
            verdicts.append(Verdict(f"slice {name}", False, "cannot be scored on these rows"))
            continue
        gain = metric.gain(score.model, score.baseline)
        detail = (
            f"{metric.label} {score.model:.3f} against {score.baseline:.3f}, "
            f"may lose {promote.slice_margin:g}"
        )
        verdicts.append(Verdict(f"slice {name}", gain >= -promote.slice_margin, detail))
    return verdicts


def parity(graph: Columns, original: Columns, decisions: tuple[Columns, Columns]) -> Parity:
    """Compare outputs, and the decisions that follow from each, row by row.

    A decision is any prediction that is not a floating-point number.
    """
    largest = max(
        float(np.max(np.abs(graph[name].astype(np.float64) - values.astype(np.float64))))
        for name, values in original.items()
    )
    mine, theirs = decisions
    changed = sum(
        int(np.sum(values != theirs[name]))
        for name, values in mine.items()
        if values.ndim == 1 and not np.issubdtype(values.dtype, np.floating)
    )
    return Parity(rows=length(graph), largest_difference=largest, changed_decisions=changed)


def same_answers(found: Parity | None, limit: float) -> Verdict:
    """Demand a difference under the limit and no changed decision, both measured."""
    if found is None:
        return Verdict("parity", False, "the graph was never compared with the model it is from")
    return Verdict(
        "parity",
        found.largest_difference < limit and found.changed_decisions == 0,
        f"largest difference {found.largest_difference:.1e} of {limit:.0e} on {found.rows:,} "
        f"rows, {found.changed_decisions} decisions changed",
    )


def budgets(megabytes: float, milliseconds: float, promote: Promote) -> list[Verdict]:
    """Demand that the bundle's size and the time of one row stay within their budgets."""
    most, longest = promote.max_bundle_mb, promote.max_latency_ms
    size = f"{megabytes:.2f} MB of {most:g} MB"
    time = f"{milliseconds:.2f} ms a row of {longest:g} ms"
    return [
        Verdict("size", megabytes <= most, size),
        Verdict("latency", milliseconds <= longest, time),
    ]


def median_milliseconds(call: Callable[[], object], timer: Callable[[], float]) -> float:
    """Give the median time of a call in milliseconds: of 110, the first ten to warm up."""
    return float(np.median(repeat(call, timer=timer, number=1, repeat=110)[10:])) * 1000
