"""Each rule of the gate says no, with its numbers; parity sees every difference."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from project_package.bundle import Parity
from project_package.contract import Columns, Goal, Metric, Promote
from project_package.lifecycle import gate
from project_package.lifecycle.scoring import (
    AnyUseCase,
    Evaluation,
    Score,
    Slice,
)
from project_package.lifecycle.gate import Interval, paired_bootstrap
from project_package.lifecycle.gate import parity as compare
from project_package.lifecycle.gate import same_answers as verdict


def mean(_: Columns, predictions: Columns) -> Any:
    """Score by the weighted mean of `hit`, which rows of no weight do not define."""

    def score(weights: NDArray[np.float64]) -> float:
        hits = predictions["hit"]
        return float(np.average(hits, weights=weights)) if weights.any() else math.nan

    return score


METRIC = Metric("hit", "Hits", lambda _, p: float(p["hit"].mean()))
LOWER = replace(METRIC, label="Cost", higher_is_better=False)
GOAL = Goal("hit", 0.5, mean)
HITS = st.lists(st.floats(0, 1), min_size=2, max_size=30)


@dataclass(frozen=True)
class Fake:
    """The part of a use case that a bootstrap asks."""

    only: Metric = METRIC
    goal: Goal = GOAL
    periods: Callable[[Columns], Any] = lambda rows: rows["period"]
    units: Callable[[Columns], Any] = lambda rows: rows["unit"]

    def metric(self, _: str) -> Metric:
        return self.only


def bootstrap(mine: Any, theirs: Any, metric: Metric = METRIC, **known: Any) -> Interval:
    """Compare hits of one period and a unit a row, unless `unit` or `period` say otherwise."""
    rows = {"unit": np.arange(len(mine)), "period": np.zeros(len(mine))}
    rows |= {name: np.asarray(known.pop(name)) for name in tuple(rows) if name in known}
    contenders = ({"hit": np.asarray(mine)}, {"hit": np.asarray(theirs)})
    use_case = cast("AnyUseCase", Fake(metric))
    return paired_bootstrap(use_case, rows, contenders, Promote(resamples=50, **known))


def score(model: float, baseline: float, naive: float = 0.1) -> Score:
    known = {"name": "hit", "label": "Hits", "higher_is_better": True, "spread": 0.0}
    numbers = {"model": model, "baseline": baseline, "naive": naive}
    return Score.model_validate({**known, **numbers, "periods": (model,), "ceiling": None})


def evaluation(model: float) -> Evaluation:
    return Evaluation(rows=9, goal="hit", scores=(score(model, 0.4),), slices=())


@settings(max_examples=30)
@given(HITS)
def test_the_same_predictions_differ_by_nothing(hits: list[float]) -> None:
    assert bootstrap(hits, hits) == Interval(0, 0, 0)


@settings(max_examples=30)
@given(HITS, st.floats(-0.5, 0.5))
def test_what_all_rows_share_cancels_out(hits: list[float], shift: float) -> None:
    found = bootstrap(np.array(hits) + shift, hits)
    assert (found.estimate, found.low, found.high) == pytest.approx((shift,) * 3, abs=1e-9)


@settings(max_examples=30)
@given(HITS, st.randoms(use_true_random=False))
def test_the_bounds_are_mirrored_when_the_two_change_places(hits: list[float], random: Any) -> None:
    others = [random.random() for _ in hits]
    one, two = bootstrap(hits, others), bootstrap(others, hits)
    assert (one.low, one.high) == pytest.approx((-two.high, -two.low))
    assert one.low <= one.high


def test_more_confidence_gives_wider_bounds() -> None:
    random = np.random.default_rng(0)
    mine, theirs = random.random((2, 200))
    narrow, wide = (bootstrap(mine, theirs, confidence=c) for c in (0.6, 0.99))
    assert wide.low < narrow.low < narrow.estimate < narrow.high < wide.high


def test_rows_of_one_unit_stay_together() -> None:
    hits = np.tile([0.0, 1.0], 50)
    apart, together = (bootstrap(hits, 0 * hits, unit=u) for u in (np.arange(100), np.zeros(100)))
    assert apart.low < 0.5 < apart.high
    assert together == Interval(0.5, 0.5, 0.5)


def test_the_bounds_cover_as_often_as_they_promise() -> None:
    random = np.random.default_rng(0)
    lows = [bootstrap(random.random(80), random.random(80)).low for _ in range(100)]
    assert 0.8 <= np.mean(np.array(lows) < 0) <= 0.97  # one-sided, 0.9


def test_the_gain_is_the_mean_over_the_periods_however_many_rows_each_has() -> None:
    period = [0] * 90 + [1] * 10
    hits = np.array([0.0] * 90 + [1.0] * 10)
    found = bootstrap(hits, 0 * hits, period=period)
    assert (found.estimate, found.low, found.high) == (0.5, 0.5, 0.5)  # of all rows, 0.1


def test_a_resample_that_leaves_a_period_without_a_score_is_left_out() -> None:
    hits = np.array([0.0] * 20 + [1.0])
    found = bootstrap(hits, 0 * hits, period=hits)  # one row is the whole of its period
    assert found == Interval(0.5, 0.5, 0.5)


@settings(max_examples=30)
@given(HITS, st.randoms(use_true_random=False))
def test_where_lower_is_better_the_gain_is_what_is_lost(hits: list[float], random: Any) -> None:
    others = [random.random() for _ in hits]
    assert bootstrap(hits, others, LOWER) == bootstrap(others, hits)


@pytest.mark.parametrize(
    ("model", "refused"),
    [(0.6, []), (0.5, []), (0.49, ["goal"]), (0.4, ["goal", "baseline"]),
     (0.1, ["goal", "naive", "baseline"]), (float("nan"), ["goal", "naive", "baseline"])],
)  # fmt: skip
def test_the_goal_must_be_reached_and_naive_and_baseline_beaten(
    model: float, refused: list[str]
) -> None:
    verdicts = gate.beats(METRIC, evaluation(model), GOAL)
    assert [verdict.rule for verdict in verdicts if not verdict.passed] == refused
    assert verdicts[2].detail == f"Hits {model:g} against 0.4, the simple model"


@pytest.mark.parametrize(
    ("low", "passed"), [(0.02, True), (-0.01, True), (-0.011, False), (float("nan"), False)]
)
def test_a_challenger_may_lose_the_margin_and_no_more(low: float, passed: bool) -> None:
    verdict = gate.champion(LOWER, Interval(0.02, low, 0.1), Promote(margin=0.01))
    assert verdict.passed is passed
    assert verdict.detail == (
        "Cost better than the champion's by +0.02, with 90% confidence by "
        f"{low:+g} at least; may lose 0.01"
    )


@pytest.mark.parametrize(
    ("model", "lower", "passed"),
    [(0.6, False, True), (0.46, False, True), (0.44, False, False), (0.54, True, True),
     (0.56, True, False)],
)  # fmt: skip
def test_a_limited_metric_may_lose_its_limit_and_no_more(
    model: float, lower: bool, passed: bool
) -> None:
    found = score(model, 0.5).model_copy(update={"higher_is_better": not lower})
    (verdict,) = gate.losses({"hit": found, "cost": None}, Promote(max_loss={"hit": 0.05}))
    assert str(verdict) == f"metric hit: Hits {model:g} against 0.5, may lose 0.05"
    assert verdict.passed is passed


def test_a_limited_metric_that_cannot_be_scored_is_refused() -> None:
    (verdict,) = gate.losses({"hit": None}, Promote(max_loss={"hit": 9}))
    assert not verdict.passed
    assert verdict.detail == "cannot be scored on these rows"


@pytest.mark.parametrize(
    ("share", "reason", "passed"),
    [(0.25, "", True), (0.26, "", False), (0.26, " \n", False), (0.26, "new\nprices", True)],
)
def test_answers_may_change_to_a_share_or_for_a_reason(
    share: float, reason: str, passed: bool
) -> None:
    rows = np.arange(100) < 100 * share
    verdict = gate.changed(rows, Promote(max_changed=0.25, reason=reason))
    assert verdict.passed is passed
    said = f"{100 * share:g}% of the rows get another answer than the champion's; 25% may"
    assert verdict.detail == said + ", or more for a reason: new prices" * bool(reason.strip())


def test_without_a_limit_all_answers_may_change() -> None:
    assert gate.changed(np.ones(3, np.bool_), Promote()).passed


def test_small_scores_keep_their_digits() -> None:
    small = score(0.09124, 0.00123, naive=0.0)
    found = Evaluation(rows=9, goal="hit", scores=(small,), slices=())
    details = [verdict.detail for verdict in gate.beats(METRIC, found, GOAL)]
    assert details[0].startswith("Hits 0.09124 against 0.5,")
    assert details[2].startswith("Hits 0.09124 against 0.00123,")


def part(name: str, score: Score | None) -> list[Slice]:
    return [Slice(name=name, rows=9, scores={"hit": score, "cost": None})]


@pytest.mark.parametrize(("model", "passed"), [(0.6, True), (0.46, True), (0.44, False)])
def test_a_guarded_slice_may_lose_its_limit_and_no_more(model: float, passed: bool) -> None:
    promote = Promote(guarded=("night",), slice_margin=0.05)
    (verdict,) = gate.slices(METRIC, part("night", score(model, 0.5)), promote)
    assert (verdict.rule, verdict.passed) == ("slice night", passed)
    assert verdict.detail == f"Hits {model:g} against 0.5, may lose 0.05"


def test_a_guarded_slice_that_cannot_be_scored_is_refused() -> None:
    for parts in (part("day", score(0.5, 0.5)), part("night", None)):
        (verdict,) = gate.slices(METRIC, parts, Promote(guarded=("night",)))
        assert not verdict.passed
        assert verdict.detail == "cannot be scored on these rows"


def test_slices_that_nobody_guards_may_lose() -> None:
    assert gate.slices(METRIC, part("night", score(0.0, 1.0)), Promote()) == []


@pytest.mark.parametrize(
    ("size", "time", "refused"),
    [(2.0, 5.0, []), (2.01, 5.0, ["size"]), (1.0, 5.1, ["latency"]), (3.0, 9, ["size", "latency"])],
)
def test_budgets_are_kept(size: float, time: float, refused: list[str]) -> None:
    verdicts = gate.budgets(size, time, "a row", Promote(max_bundle_mb=2, max_latency_ms=5))
    assert [verdict.rule for verdict in verdicts if not verdict.passed] == refused
    assert verdicts[0].detail == f"{size:.2f} MB of 2 MB"
    assert verdicts[1].detail == f"{time:.2f} ms of 5 ms for a row"


def test_latency_is_a_median_after_warming_up() -> None:
    calls: list[int] = []
    seconds = [1000] * 10 + [9] * 3 + [2] * 97
    clock = iter(time for took in seconds for time in (0.0, float(took)))
    assert gate.median_milliseconds(lambda: calls.append(1), lambda: next(clock)) == 2000
    assert len(calls) == 110


def outputs(*scores: float) -> Columns:
    return {"score": np.array(scores, np.float32)}


def decided(*flags: bool, **more: Any) -> Columns:
    return {**outputs(*(0.5 for _ in flags)), "decision": np.array(flags), **more}


def test_equal_answers_have_no_difference() -> None:
    found = compare(outputs(0.1, 0.9), outputs(0.1, 0.9), (decided(False, True),) * 2)
    assert found == Parity(rows=2, largest_difference=0, changed_decisions=0)


def test_the_largest_difference_counts() -> None:
    found = compare(outputs(0.1, 0.9), outputs(0.1, 0.8), (decided(True),) * 2)
    assert found.largest_difference == pytest.approx(0.1)


def test_every_changed_decision_counts_and_no_number_is_one() -> None:
    mine = decided(True, True, False, label=np.array(["a", "b", "c"]))
    theirs = decided(True, False, False, label=np.array(["a", "b", "x"]))
    assert compare(outputs(1), outputs(1), (mine, theirs)).changed_decisions == 2
    other = {**theirs, **outputs(0.1, 0.2, 0.3)}
    assert compare(outputs(1), outputs(1), (theirs, other)).changed_decisions == 0


def test_outputs_that_only_the_graph_has_are_not_compared() -> None:
    more = {**outputs(0.5), "contributions": np.ones((1, 3))}
    assert compare(more, outputs(0.5), (decided(True),) * 2).largest_difference == 0


@pytest.mark.parametrize(
    ("rows", "difference", "changed", "passed"),
    [(10_000, 9e-6, 0, True), (10_000, 1e-5, 0, False), (10_000, 0.0, 1, False),
     (10_000, float("nan"), 0, False), (9_999, 0.0, 0, False)],
)  # fmt: skip
def test_a_difference_a_changed_decision_or_too_few_rows_are_refused(
    rows: int, difference: float, changed: int, passed: bool
) -> None:
    found = Parity(rows=rows, largest_difference=difference, changed_decisions=changed)
    said = verdict(found, Promote())
    assert said.passed is passed
    assert f"{changed} decisions changed, on {rows:,} rows of 10,000 at least" in said.detail


def test_an_answer_that_is_no_number_is_refused() -> None:
    found = compare(outputs(0.1, np.nan), outputs(0.1, 0.9), (decided(True),) * 2)
    assert not verdict(found, Promote(min_parity_rows=1)).passed
