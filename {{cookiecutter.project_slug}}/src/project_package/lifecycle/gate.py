"""The gate: every rule a challenger must pass before it becomes the champion. Pure functions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from timeit import repeat

import numpy as np
from numpy.typing import NDArray

from ..bundle import Parity
from ..contract import Columns, Goal, Metric, Promote, length, take
from .scoring import AnyUseCase, Evaluation, Score, Slice


@dataclass(frozen=True)
class Verdict:
    """What one rule said, with the numbers."""

    rule: str
    passed: bool
    detail: str

    def __str__(self) -> str:
        """Give the rule and the numbers in one line."""
        return f"{self.rule}: {self.detail}"


@dataclass(frozen=True)
class Interval:
    """The challenger's gain on the champion, above 0 where it is better: estimate and bounds."""

    estimate: float
    low: float
    high: float


def paired_bootstrap(
    use_case: AnyUseCase,
    rows: Columns,
    contenders: tuple[Columns, Columns],
    promote: Promote,
) -> Interval:
    """Bound the gain of the first of two predictions by resampling units (Efron 1979).

    The gain is in the mean over the periods, as in the report. Each resample draws the units with
    replacement and weighs both contenders' rows alike, so what the rows have in common cancels
    out; one that leaves a period without a score is left out. Each bound holds with
    `promote.confidence`.
    """
    goal, periods = use_case.goal, use_case.periods(rows)
    metric = use_case.metric(goal.metric)
    parts = []
    for mask in (periods == period for period in np.unique(periods)):
        mine, theirs = (goal.weighted(take(rows, mask), take(p, mask)) for p in contenders)
        parts.append((mask, mine, theirs))

    def gain(weights: NDArray[np.float64]) -> float:
        scores = [(mine(weights[mask]), theirs(weights[mask])) for mask, mine, theirs in parts]
        return float(np.mean([metric.gain(*pair) for pair in scores]))

    codes = np.unique(use_case.units(rows), return_inverse=True)[1]
    count = int(codes.max()) + 1
    random = np.random.default_rng(0)
    gains = np.empty(promote.resamples)
    for index in range(promote.resamples):
        drawn = np.bincount(random.integers(0, count, count), minlength=count)
        gains[index] = gain(drawn[codes].astype(np.float64))
    low, high = np.nanquantile(gains, [1 - promote.confidence, promote.confidence])
    return Interval(gain(np.ones(len(codes))), float(low), float(high))


def beats(metric: Metric, evaluation: Evaluation, goal: Goal) -> list[Verdict]:
    """Demand the goal's floor at least, and more than naive and baseline have."""
    score = evaluation.score(metric.name)
    rivals = {
        "goal": (goal.floor, "the least to accept"),
        "naive": (score.naive, "without a model"),
        "baseline": (score.baseline, "the simple model"),
    }
    verdicts = []
    for rule, (value, meaning) in rivals.items():
        gain = metric.gain(score.model, value)
        passed = gain >= 0 if rule == "goal" else gain > 0
        detail = f"{metric.label} {score.model:.4g} against {value:.4g}, {meaning}"
        verdicts.append(Verdict(rule, passed, detail))
    return verdicts


def champion(metric: Metric, gain: Interval, promote: Promote) -> Verdict:
    """Demand that the challenger is not worse than the champion by more than the margin."""
    return Verdict(
        "champion",
        gain.low >= -promote.margin,
        f"{metric.label} better than the champion's by {gain.estimate:+.4g}, with "
        f"{promote.confidence:.0%} confidence by {gain.low:+.4g} at least; may lose "
        f"{promote.margin:g}",
    )


def losses(scores: Mapping[str, Score | None], promote: Promote) -> list[Verdict]:
    """Demand that no limited metric loses more than its limit against the champion.

    `scores` has every metric that `promote.max_loss` names; the champion stands in the place of
    the baseline.
    """
    limits = promote.max_loss.items()
    return [_limited(f"metric {name}", scores[name], limit) for name, limit in limits]


def changed(rows: NDArray[np.bool_], promote: Promote) -> Verdict:
    """Demand that few rows, (rows,), get another answer than the champion gives, or a reason."""
    share, limit = float(np.mean(rows)), promote.max_changed
    reason = " ".join(promote.reason.split())
    detail = (
        f"{100 * share:.4g}% of the rows get another answer than the champion's; "
        f"{100 * limit:.4g}% may" + (f", or more for a reason: {reason}" if reason else "")
    )
    return Verdict("changed", share <= limit or bool(reason), detail)


def slices(metric: Metric, parts: Sequence[Slice], promote: Promote) -> list[Verdict]:
    """Demand that no guarded slice loses more than its limit against its reference.

    The reference stands in the place of the baseline: the champion, while there is one.
    """
    scores = {part.name: part.scores[metric.name] for part in parts}
    limit = promote.slice_margin
    return [_limited(f"slice {name}", scores.get(name), limit) for name in promote.guarded]


def _limited(rule: str, score: Score | None, limit: float) -> Verdict:
    """Demand that a score is not worse than its reference by more than the limit."""
    if score is None:
        return Verdict(rule, False, "cannot be scored on these rows")
    detail = f"{score.label} {score.model:.4g} against {score.baseline:.4g}, may lose {limit:g}"
    return Verdict(rule, score.gain >= -limit, detail)


def parity(graph: Columns, original: Columns, decisions: tuple[Columns, Columns]) -> Parity:
    """Compare outputs, and the decisions that follow from each, row by row.

    A difference counts as it is up to a value of 1, and as a share of the value above that: float32
    has seven digits, whatever the size. A decision is any prediction that is not a floating-point
    number.
    """
    differences = (
        np.abs(np.subtract(graph[name], values, dtype=np.float64)) / np.maximum(1, np.abs(values))
        for name, values in original.items()
    )
    largest = max(float(np.max(difference)) for difference in differences)
    mine, theirs = decisions
    changed = sum(
        int(np.sum(values != theirs[name]))
        for name, values in mine.items()
        if values.ndim == 1 and not np.issubdtype(values.dtype, np.floating)
    )
    return Parity(rows=length(graph), largest_difference=largest, changed_decisions=changed)


def same_answers(found: Parity | None, promote: Promote) -> Verdict:
    """Demand a difference under the limit and no changed decision, on enough rows."""
    if found is None:
        return Verdict("parity", False, "the graph was never compared with the model it is from")
    limit, least = promote.max_difference, promote.min_parity_rows
    same = found.largest_difference < limit and found.changed_decisions == 0
    detail = (
        f"largest difference {found.largest_difference:.1e} of {limit:.0e}, "
        f"{found.changed_decisions} decisions changed, on {found.rows:,} rows of {least:,} at least"
    )
    return Verdict("parity", same and found.rows >= least, detail)


def budgets(megabytes: float, milliseconds: float, what: str, promote: Promote) -> list[Verdict]:
    """Demand that the bundle's size and the time of `what` stay within their budgets."""
    most, longest = promote.max_bundle_mb, promote.max_latency_ms
    size = f"{megabytes:.2f} MB of {most:g} MB"
    time = f"{milliseconds:.2f} ms of {longest:g} ms for {what}"
    return [
        Verdict("size", megabytes <= most, size),
        Verdict("latency", milliseconds <= longest, time),
    ]


def median_milliseconds(call: Callable[[], object], timer: Callable[[], float]) -> float:
    """Give the median time of a call in milliseconds: of 110, the first ten to warm up."""
    return float(np.median(repeat(call, timer=timer, number=1, repeat=110)[10:])) * 1000
