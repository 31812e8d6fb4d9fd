"""Each rule of the gate refuses, with its numbers; parity sees every difference."""

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from project_package.bundle import Interval, Parity
from project_package.columns import Columns, weighted_mean
from project_package.contract.checks import Checks
from project_package.contract.training import Metric
from project_package.lifecycle import gate
from project_package.lifecycle.scores import Evaluation, Score, Slice, number
from project_package.params import Promote

METRIC = Metric("hit", "Hits", lambda _, p, weights: weighted_mean(p["hit"], weights))
LOWER = replace(METRIC, label="Cost", higher_is_better=False)


def score(model: float, baseline: float, higher: bool = True) -> Score:
    known = {"name": "hit", "label": "Hits", "spread": 0, "naive": 0.1, "ceiling": None}
    scores = {"model": model, "baseline": baseline, "periods": (model,), "higher_is_better": higher}
    return Score.model_validate({**known, **scores})


@pytest.mark.parametrize(
    ("model", "refused"),
    [(0.5, []), (0.4, ["baseline"]), (0.1, ["naive", "baseline"]),
     (float("nan"), ["naive", "baseline"])],
)  # fmt: skip
def test_naive_and_baseline_must_be_beaten(model: float, refused: list[str]) -> None:
    found = Evaluation(rows=9, goal="hit", scores=(score(model, 0.4),), slices=())
    verdicts = gate.beats(METRIC, found)
    assert [verdict.rule for verdict in verdicts if not verdict.passed] == refused
    assert verdicts[1].detail == f"Hits {number(model)} against 0.400, the simple baseline"


@pytest.mark.parametrize(
    ("model", "higher", "passed"),
    [(0.5, True, True), (0.49, True, False), (0.5, False, True), (0.51, False, False)]
    + [(float("nan"), higher, False) for higher in (True, False)],
)
def test_no_metric_may_be_worse_than_its_limit(model: float, higher: bool, passed: bool) -> None:
    found = Evaluation(rows=9, goal="x", scores=(score(model, 0.9, higher),), slices=())
    assert gate.worst(found, Promote()) == []
    (verdict,) = gate.worst(found, Promote(worst={"hit": 0.5}))
    assert (verdict.rule, verdict.passed) == ("worst hit", passed)
    assert verdict.detail == f"Hits {number(model)}, and 0.5 is the worst to accept"


@pytest.mark.parametrize(
    ("low", "passed"), [(0.02, True), (-0.01, True), (-0.011, False), (float("nan"), False)]
)
def test_challenger_may_lose_the_margin_at_most(low: float, passed: bool) -> None:
    verdict = gate.champion(LOWER, Interval(0.02, low, 0.1), Promote(margin=0.01))
    assert verdict.passed is passed
    assert verdict.detail == (
        f"the gain in Cost over the champion is +0.02, at least {low:+g} with 90% confidence; "
        "a loss of 0.01 is allowed"
    )


@pytest.mark.parametrize(
    ("model", "higher", "passed"),
    [(0.25, True, True), (0.24, True, False), (0.75, False, True), (0.76, False, False)],
)
def test_limited_metric_may_lose_its_limit(model: float, higher: bool, passed: bool) -> None:
    scores = {"hit": score(model, 0.5, higher=higher), "cost": None}
    (verdict,) = gate.losses(scores, Promote(max_loss={"hit": 0.25}))
    assert verdict.passed is passed
    expected = f"metric hit: Hits {number(model)} against 0.500 of the champion; it may lose 0.25"
    assert str(verdict) == (expected if passed else f"{expected} (see promote.max_loss)")


@pytest.mark.parametrize(
    ("share", "reason", "passed"),
    [(0.2, "", True), (0.25, "", True), (0.26, " \n", False), (0.26, "new\nprices", True)],
)
def test_answers_change_up_to_a_share_or_for_a_reason(
    share: float, reason: str, passed: bool
) -> None:
    rows = np.arange(100) < 100 * share
    verdict = gate.answer_changes(rows, Promote(max_changed=0.25, reason=reason))
    assert verdict.passed is passed
    assert verdict.detail.startswith(f"{100 * share:g}% of the rows get another answer than from")
    assert ", 25% are allowed" in verdict.detail
    assert verdict.detail.endswith("more for this reason: new prices") is bool(reason.strip())


def part(name: str, score: Score | None) -> list[Slice]:
    return [Slice(name=name, rows=9, scores={"hit": score, "cost": None})]


@pytest.mark.parametrize(("model", "passed"), [(0.6, True), (0.44, False)])
def test_guarded_slice_may_lose_its_limit(model: float, passed: bool) -> None:
    promote = Promote(guarded=("night",), slice_margin=0.05)
    (verdict,) = gate.slices(METRIC, part("night", score(model, 0.5)), "the champion", promote)
    assert (verdict.rule, verdict.passed) == ("slice night", passed)
    assert "against 0.500 of the champion" in verdict.detail
    assert gate.slices(METRIC, part("night", score(0.0, 1.0)), "the champion", Promote()) == []


@pytest.mark.parametrize("found", [part("day", score(0.5, 0.5)), part("night", None)])
def test_score_that_is_not_defined_is_refused(found: list[Slice]) -> None:
    verdicts = gate.slices(METRIC, found, "the champion", Promote(guarded=("night",)))
    verdicts += gate.losses({"hit": None}, Promote(max_loss={"hit": 9}))
    assert not any(verdict.passed for verdict in verdicts)
    assert {verdict.detail for verdict in verdicts} == {"cannot be scored on these rows"}


@pytest.mark.parametrize(
    ("size", "time", "refused"),
    [(2.0, 5.0, []), (2.01, 4.0, ["size"]), (1.0, 5.1, ["latency"]), (3.0, 9, ["size", "latency"])],
)
def test_budgets_of_size_and_time(size: float, time: float, refused: list[str]) -> None:
    verdicts = gate.budgets(size, time, "a row", Promote(max_bundle_mb=2, max_latency_ms=5))
    assert [verdict.rule for verdict in verdicts if not verdict.passed] == refused
    assert verdicts[0].detail == f"{size:.2f} MB of 2 MB"
    assert verdicts[1].detail == f"{time:.2f} ms of 5 ms of processor time for a row"


def test_latency_is_the_lowest_median_of_three_repetitions() -> None:
    calls = iter(range(150))
    warming_up = [1000] * 30
    seconds = [*warming_up, *[2] * 20, *[9] * 20, *[3] * 30, *[5] * 30, *[2] * 20]
    clock = iter(moment for took in seconds for moment in (0.0, float(took)))
    assert gate.processor_milliseconds(lambda: next(calls), lambda: next(clock)) == 3000
    assert list(calls) == []


@pytest.mark.parametrize(("calls", "milliseconds"), [(1, 9000), (2, 4000), (4, 3000)])
def test_latency_of_few_calls(calls: int, milliseconds: float) -> None:
    seconds = [9, 4, 3, 5][:calls]
    clock = iter(moment for took in seconds for moment in (0.0, float(took)))
    found = gate.processor_milliseconds(lambda: None, lambda: next(clock), calls)
    assert found == milliseconds
    assert list(clock) == []


def test_latency_is_processor_time() -> None:
    assert gate.processor_milliseconds(lambda: time.sleep(0.002)) < 1


def predicted(*scores: float, **more: Any) -> Columns:
    return {"score": np.array(scores, np.float32), **more}


@pytest.mark.parametrize(
    ("loaded", "fitted", "difference"),
    [(0.9, 0.9, 0), (0.9, 0.8, 0.1), (1010.0, 1000.0, 0.01), (float("nan"), 0.9, np.nan)],
)
def test_parity_is_the_largest_difference(loaded: float, fitted: float, difference: float) -> None:
    found = gate.parity(predicted(0.1, loaded, more=np.ones(2)), predicted(0.1, fitted))
    assert found.largest_difference == pytest.approx(difference, abs=1e-6, nan_ok=True)
    assert (found.rows, found.changed_decisions) == (2, 0)


def test_parity_is_not_relative_to_a_single_large_value() -> None:
    found = gate.parity(predicted(1.5, 2, 3, 1e9), predicted(1, 2, 3, 1e9))
    assert found.largest_difference == pytest.approx(0.5 / 2.5)


def test_parity_counts_rows_with_changed_decisions() -> None:
    loaded = {"segment": np.array([1, 2, 3]), "name": np.array(["a", "b", "c"])}
    fitted = {"segment": np.array([1, 5, 3]), "name": np.array(["a", "x", "y"])}
    assert gate.parity(loaded, fitted) == Parity(rows=3, largest_difference=0, changed_decisions=2)


@pytest.mark.parametrize(
    ("rows", "difference", "changed", "passed"),
    [(10_000, 9e-6, 0, True), (20_000, 0.0, 0, True), (10_000, 1e-5, 0, False),
     (10_000, 0.0, 1, False), (10_000, float("nan"), 0, False), (9_999, 0.0, 0, False)],
)  # fmt: skip
def test_parity_needs_equal_answers_on_enough_rows(
    rows: int, difference: float, changed: int, passed: bool
) -> None:
    found = Parity(rows=rows, largest_difference=difference, changed_decisions=changed)
    verdict = gate.same_answers(found, Promote(), Checks())
    assert verdict.passed is passed
    assert not gate.same_answers(None, Promote(), Checks()).passed
    assert f"{changed} decisions changed, on {rows:,} rows of 10,000 required" in verdict.detail


@pytest.mark.parametrize(
    ("most", "rows", "required", "passed"),
    [(None, 9_999, "10,000", False), (50_000, 9_999, "10,000", False),
     (9_999, 9_999, "9,999", True), (9_999, 9_998, "9,999", False)],
)  # fmt: skip
def test_candidate_can_require_fewer_rows_for_parity(
    most: int | None, rows: int, required: str, passed: bool
) -> None:
    found = Parity(rows=rows, largest_difference=0.0, changed_decisions=0)
    verdict = gate.same_answers(found, Promote(), Checks(max_parity_rows=most))
    assert verdict.passed is passed
    assert f"on {rows:,} rows of {required} required" in verdict.detail


def test_every_rule_names_the_parameters_to_look_at() -> None:
    promote = Promote(worst={"hit": 0.5}, max_loss={"hit": 0}, guarded=("night",))
    found = Evaluation(rows=9, goal="hit", scores=(score(0.5, 0.4),), slices=())
    verdicts = [
        *gate.beats(METRIC, found),
        *gate.worst(found, promote),
        gate.champion(METRIC, Interval(0, 0, 0), promote),
        *gate.losses({"hit": score(0.5, 0.4)}, promote),
        gate.answer_changes(np.zeros(1, np.bool_), promote),
        *gate.slices(METRIC, part("night", None), "the champion", promote),
        gate.same_answers(None, promote, Checks()),
        *gate.budgets(1, 1, "a row", promote),
    ]
    named = {name for verdict in verdicts for name in verdict.parameters.split(", ")}
    others = {"resamples", "max_quantisation_loss"}  # which `ml train` applies
    limits = {f"promote.{name}" for name in {*Promote.model_fields} - others}
    assert named == {*limits, "train.trials", "train.candidates"}
    assert all(str(v).endswith(f"(see {v.parameters})") is not v.passed for v in verdicts)
