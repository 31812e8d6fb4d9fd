"""The gate: the rules that a challenger must pass to become the champion."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from timeit import repeat

import numpy as np
from numpy.typing import NDArray

from ..bundle import Interval, Parity
from ..columns import Columns, decisions_differ, length, take
from ..contract.checks import Checks
from ..contract.training import ComparePredictions, Metric, Training, Weights
from ..params import Promote
from .scores import Evaluation, Score, Slice, number


@dataclass(frozen=True)
class Verdict:
    """The outcome of one rule, with the numbers."""

    rule: str
    passed: bool
    detail: str
    parameters: str
    """The parameters to look at when it refuses."""

    def __str__(self) -> str:
        """Return the rule and the numbers in one line, and the parameters of a refusal."""
        return f"{self.rule}: {self.detail}" + ("" if self.passed else f" (see {self.parameters})")


def paired_bootstrap(
    training: Training, rows: Columns, contenders: tuple[Columns, Columns], promote: Promote
) -> Interval:
    """Estimate the gain of the first predictions over the second, with bounds (Efron 1979).

    The gain is that of the report, pooled or the mean over the periods. Each resample draws groups
    of rows with replacement and weighs the rows of both contenders alike, so that what they share
    cancels out; a resample that leaves a period without a score is skipped. Each bound holds with
    probability `promote.confidence`.
    """
    gain = gain_by_weights(training, rows, contenders)
    group = np.unique(training.groups(rows), return_inverse=True)[1]
    count = int(group.max()) + 1
    random = np.random.default_rng(0)
    gains = np.empty(promote.resamples)
    for index in range(promote.resamples):
        drawn = np.bincount(random.integers(0, count, count), minlength=count)
        gains[index] = gain(drawn[group].astype(np.float64))
    low, high = np.nanquantile(gains, [1 - promote.confidence, promote.confidence])
    return Interval(gain(np.ones(len(group))), float(low), float(high))


def gain_by_weights(
    training: Training, rows: Columns, contenders: tuple[Columns, Columns]
) -> Callable[[Weights], float]:
    """Return the gain of the first predictions over the second as a function of row weights."""
    metric = training.goal
    periods = np.zeros(length(rows)) if training.pooled else training.periods(rows)
    parts = []
    for period in np.unique(periods):
        mask = periods == period
        part = take(rows, mask)
        new, old = (metric.scorer(part, take(p, mask)) for p in contenders)
        parts.append((mask, new, old))

    def gain(weights: Weights) -> float:
        gains = [metric.gain(new(weights[mask]), old(weights[mask])) for mask, new, old in parts]
        return float(np.mean(gains))

    return gain


def beats(metric: Metric, evaluation: Evaluation) -> list[Verdict]:
    """Require a better score than naive and baseline."""
    score = evaluation.score(metric.name)
    verdicts = []
    for rule, meaning in (("naive", "without a model"), ("baseline", "the simple baseline")):
        value = getattr(score, rule)
        passed = metric.gain(score.model, value) > 0
        detail = f"{metric.label} {number(score.model)} against {number(value)}, {meaning}"
        verdicts.append(Verdict(rule, passed, detail, "train.trials, train.candidates"))
    return verdicts


def worst(evaluation: Evaluation, promote: Promote) -> list[Verdict]:
    """Require that no metric in `promote.worst` is worse than its limit."""
    verdicts = []
    for name, limit in promote.worst.items():
        score = evaluation.score(name)
        passed = score.model >= limit if score.higher_is_better else score.model <= limit
        detail = f"{score.label} {number(score.model)}, and {limit:g} is the worst to accept"
        verdicts.append(Verdict(f"worst {name}", passed, detail, "promote.worst"))
    return verdicts


def champion(metric: Metric, gain: Interval, promote: Promote) -> Verdict:
    """Require that the challenger is not worse than the champion by more than the margin."""
    detail = describe_gain(metric, gain, "the champion", promote.margin, promote)
    where = "promote.margin, promote.confidence"
    return Verdict("champion", gain.low >= -promote.margin, detail, where)


def describe_gain(
    metric: Metric, gain: Interval, rival: str, limit: float, promote: Promote
) -> str:
    """Describe a gain over a rival with its lower bound, beside the loss that is allowed."""
    return (
        f"the gain in {metric.label} over {rival} is {gain.estimate:+.4g}, at least "
        f"{gain.low:+.4g} with {promote.confidence:.0%} confidence; a loss of {limit:g} is allowed"
    )


def losses(scores: Mapping[str, Score | None], promote: Promote) -> list[Verdict]:
    """Require that no metric in `promote.max_loss` loses more than its limit to the champion."""
    return [
        _limited(f"metric {name}", scores[name], "the champion", limit, "promote.max_loss")
        for name, limit in promote.max_loss.items()
    ]


def answer_changes(rows: NDArray[np.bool_], promote: Promote) -> Verdict:
    """Require that few rows, (rows,), get another answer than from the champion, or a reason."""
    share = float(np.mean(rows))
    limit = promote.max_changed
    reason = " ".join(promote.reason.split())
    detail = (
        f"{100 * share:.4g}% of the rows get another answer than from the champion, "
        f"{100 * limit:.4g}% are allowed" + (f", more for this reason: {reason}" if reason else "")
    )
    passed = share <= limit or bool(reason)
    return Verdict("changed", passed, detail, "promote.max_changed, promote.reason")


def slices(metric: Metric, parts: Sequence[Slice], rival: str, promote: Promote) -> list[Verdict]:
    """Require that no guarded slice loses more than the limit to the rival in the scores."""
    scores = {part.name: part.scores[metric.name] for part in parts}
    limit = promote.slice_margin
    where = "promote.slice_margin, promote.guarded"
    return [
        _limited(f"slice {name}", scores.get(name), rival, limit, where) for name in promote.guarded
    ]


def _limited(rule: str, score: Score | None, rival: str, limit: float, where: str) -> Verdict:
    """Require that a score is not worse than the rival's by more than the limit."""
    if score is None:
        return Verdict(rule, False, "cannot be scored on these rows", where)
    model = number(score.model)
    other = number(score.baseline)
    detail = f"{score.label} {model} against {other} of {rival}; it may lose {limit:g}"
    return Verdict(rule, score.gain >= -limit, detail, where)


def parity(
    loaded: Columns, fitted: Columns, export_differs: ComparePredictions = decisions_differ
) -> Parity:
    """Compare predictions of the loaded and of the fitted model on the columns of the fitted.

    Rows in which decisions changed are those that `export_differs(fitted, loaded)` returns.

    A difference is relative to the value, to the median size of all values or to 1, whichever is
    largest: float32 has seven digits, of the largest number in a sum. A prediction that is not a
    floating-point number is a decision, and counts as changed or not.
    """
    largest = [0.0]
    for name, values in fitted.items():
        if values.dtype.kind == "f":
            difference = np.abs(np.subtract(loaded[name], values, dtype=np.float64))
            size = np.maximum(np.abs(values), np.median(np.abs(values)))
            largest.append(np.max(difference / np.maximum(1, size)))
    return Parity(
        rows=length(fitted),
        largest_difference=float(np.max(largest)),  # NaN when any is
        changed_decisions=int(export_differs(fitted, loaded).sum()),
    )


def least_parity_rows(checks: Checks, promote: Promote) -> int:
    """Return on how many rows parity is required: fewer if calls cost too much."""
    most = checks.max_parity_rows
    return promote.min_parity_rows if most is None else min(promote.min_parity_rows, most)


def same_answers(measured: Parity | None, promote: Promote, checks: Checks) -> Verdict:
    """Require a difference below the limit and no changed decision, on enough rows."""
    where = "promote.max_difference, promote.min_parity_rows"
    if measured is None:
        return Verdict("parity", False, "the bundle was not compared with the fitted model", where)
    limit = promote.max_difference
    least = least_parity_rows(checks, promote)
    same = measured.largest_difference < limit and measured.changed_decisions == 0
    detail = (
        f"largest difference {measured.largest_difference:.1e} of {limit:.0e}, "
        f"{measured.changed_decisions} decisions changed, on {measured.rows:,} rows of {least:,} "
        "required"
    )
    return Verdict("parity", same and measured.rows >= least, detail, where)


def budgets(megabytes: float, milliseconds: float, what: str, promote: Promote) -> list[Verdict]:
    """Require that the bundle's size and the time of `what` are within their budgets."""
    most = promote.max_bundle_mb
    longest = promote.max_latency_ms
    size = f"{megabytes:.2f} MB of {most:g} MB"
    took = f"{milliseconds:.2f} ms of {longest:g} ms of processor time for {what}"
    return [
        Verdict("size", megabytes <= most, size, "promote.max_bundle_mb"),
        Verdict("latency", milliseconds <= longest, took, "promote.max_latency_ms"),
    ]


def processor_milliseconds(
    call: Callable[[], object],
    timer: Callable[[], float] = time.process_time,
    calls: int = Checks.latency_calls,
) -> float:
    """Return the processor time of a call: the lowest median of three repetitions of a third each.

    The median leaves out slow first calls; processor time leaves out waiting for other programs.
    """
    times = repeat(call, timer=timer, number=1, repeat=calls)
    repetitions = np.array_split(times, min(3, calls))
    return float(min(np.median(part) for part in repetitions)) * 1000
