"""Each rule of the gate says no, with its numbers; parity sees every difference."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from project_package.bundle import Parity
from project_package.contract import Columns, Goal, Metric, Promote
from project_package.lifecycle import gate
from project_package.lifecycle.evaluation import Evaluation, Score, Slice
from project_package.lifecycle.gate import Interval, paired_bootstrap
from project_package.lifecycle.gate import parity as compare
from project_package.lifecycle.gate import same_answers as verdict


def mean(_: Columns, predictions: Columns) -> Any:
    """Score by the weighted mean of `hit`."""

    def score(weights: NDArray[np.float64]) -> float:
        return float(np.average(predictions["hit"], weights=weights))

    return score


METRIC = Metric("hit", "Hits", lambda _, p: float(p["hit"].mean()))
LOWER = Metric("cost", "Cost", lambda _, p: float(p["hit"].mean()), higher_is_better=False)
GOAL = Goal("hit", 0.5, mean)
HITS = st.lists(st.floats(0, 1), min_size=2, max_size=30)


def bootstrap(mine: Any, theirs: Any, units: Any = None, **limits: Any) -> Interval:
    contenders = ({"hit": np.asarray(mine)}, {"hit": np.asarray(theirs)})
    drawn = np.arange(len(mine)) if units is None else np.asarray(units)
    return paired_bootstrap(GOAL, {}, contenders, drawn, Promote(resamples=50, **limits))


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
    apart, together = (bootstrap(hits, 0 * hits, u) for u in (np.arange(100), np.zeros(100)))
    assert apart.low < 0.5 < apart.high
    assert together == Interval(0.5, 0.5, 0.5)


def test_the_bounds_cover_as_often_as_they_promise() -> None:
    random = np.random.default_rng(0)
    lows = [bootstrap(random.random(80), random.random(80)).low for _ in range(100)]
    assert 0.8 <= np.mean(np.array(lows) < 0) <= 0.97  # one-sided, 0.9


@pytest.mark.parametrize(
    ("model", "refused"),
    [(0.6, []), (0.5, ["goal"]), (0.45, ["goal"]), (0.4, ["goal", "baseline"]),
     (0.1, ["goal", "naive", "baseline"]), (float("nan"), ["goal", "naive", "baseline"])],
)  # fmt: skip
def test_goal_naive_and_baseline_must_be_beaten(model: float, refused: list[str]) -> None:
    verdicts = gate.beats(METRIC, evaluation(model), GOAL)
    assert [verdict.rule for verdict in verdicts if not verdict.passed] == refused
    assert verdicts[2].detail == f"Hits {model:.3f} against 0.400, the simple model"


@pytest.mark.parametrize(("low", "passed"), [(0.02, True), (-0.01, True), (-0.011, False)])
def test_a_challenger_may_lose_the_margin_and_no_more(low: float, passed: bool) -> None:
    verdict = gate.champion(METRIC, Interval(0.0, low, 0.1), Promote(margin=0.01))
    assert verdict.passed is passed
    assert f"with 90% confidence at least {low:+.4f}, allowed -0.0100" in verdict.detail


def test_for_a_cost_the_bounds_change_places() -> None:
    promote = Promote(margin=0.01)
    cheaper, dearer = Interval(-5.0, -6.0, -4.0), Interval(5.0, 4.0, 6.0)
    assert gate.champion(LOWER, cheaper, promote).passed
    assert not gate.champion(LOWER, dearer, promote).passed
    assert "Cost +5.0000 against the champion" in gate.champion(LOWER, cheaper, promote).detail


def part(name: str, score: Score | None) -> list[Slice]:
    return [Slice(name=name, rows=9, scores={"hit": score, "cost": None})]


@pytest.mark.parametrize(("model", "passed"), [(0.6, True), (0.46, True), (0.44, False)])
def test_a_guarded_slice_may_lose_its_limit_and_no_more(model: float, passed: bool) -> None:
    promote = Promote(guarded=("night",), slice_margin=0.05)
    (verdict,) = gate.slices(METRIC, part("night", score(model, 0.5)), promote)
    assert (verdict.rule, verdict.passed) == ("slice night", passed)
    assert verdict.detail == f"Hits {model:.3f} against 0.500, may lose 0.05"


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
    verdicts = gate.budgets(size, time, Promote(max_bundle_mb=2, max_latency_ms=5))
    assert [verdict.rule for verdict in verdicts if not verdict.passed] == refused
    assert verdicts[0].detail == f"{size:.2f} MB of 2 MB"
    assert verdicts[1].detail == f"{time:.2f} ms a row of 5 ms"


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
    ("difference", "changed", "passed"),
    [(9e-6, 0, True), (1e-5, 0, False), (0.0, 1, False), (float("nan"), 0, False)],
)
def test_a_difference_or_a_changed_decision_is_refused(
    difference: float, changed: int, passed: bool
) -> None:
    found = Parity(rows=10_000, largest_difference=difference, changed_decisions=changed)
    said = verdict(found, 1e-5)
    assert said.passed is passed
    assert f"on 10,000 rows, {changed} decisions changed" in said.detail


def test_an_answer_that_is_no_number_is_refused() -> None:
    found = compare(outputs(0.1, np.nan), outputs(0.1, 0.9), (decided(True),) * 2)
    assert not verdict(found, 1e-5).passed
