"""The page of the monitor: words for people first."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from project_package.bundle import Interval
from project_package.contract.about import About
from project_package.contract.training import Metric
from project_package.lifecycle.scores import Score
from project_package.monitoring.drift import Drift
from project_package.monitoring.findings import Alarm, Findings, WindowResult
from project_package.monitoring.page import render, sentences
from project_package.monitoring.service import Service
from project_package.monitoring.skew import Skew

GOAL = Metric("goal", "Recall", lambda *_: 0.0)
TEST = Score(
    name="goal",
    label="Recall",
    higher_is_better=True,
    model=0.9,
    spread=0,
    periods=(),
    baseline=0.6,
    naive=0.5,
    ceiling=None,
)
ABOUT = About("Parts & <b>more</b>", "Is it good?", "", "", "")
START = datetime(2026, 1, 1, tzinfo=UTC)
SCORE = Interval(0.87, 0.8, 0.93)
DRIFT = Drift(
    name="<amount>",
    psi=0.31,
    usual=0,
    test="chi-square",
    p_value=1e-9,
    missing=0.25,
    missing_before=0,
    unexpected=0.5,
    is_drifted=True,
    is_broken=False,
)


def window(day: int = 0, **changes: Any) -> WindowResult:
    start = START + timedelta(days=day)
    fields: dict[str, Any] = {"rows": 1_000, "labelled": 10, "version": "3", "drifts": ()}
    scores: dict[str, Any] = {"realised": None, "estimated": None, "scores": {}}
    return WindowResult(start=start, end=start, **fields | scores | changes)


def found(*windows: WindowResult, **alarms: str) -> Findings:
    raised = tuple(Alarm.model_validate({"reason": r, "detail": d}) for r, d in alarms.items())
    return Findings(version="3", goal="goal", windows=windows, alarms=raised)


@pytest.mark.parametrize(
    ("alarms", "first"),
    [
        ({}, "Nothing has to be done."),
        ({"quality": "x"}, "Train a new model: ml retrain"),
        (
            {"service": "x", "quality": "y"},
            "Look at the log of the server: requests fail or are slow. Train",
        ),
        ({"skew": "x"}, "Find out why the server computes other values"),
        ({"broken": "x"}, "Correct the broken values where they come from"),
        ({"broken": "x", "drift": "y"}, "Correct the broken values where they come from"),
    ],
)
def test_the_first_sentence_says_what_to_do(alarms: dict[str, str], first: str) -> None:
    seen = found(window(drifts=(DRIFT,)), **alarms)
    assert sentences(seen, GOAL, TEST)[0].startswith(first)


def test_at_most_five_sentences_are_made_of_the_figures() -> None:
    seen = found(
        window(0, version="2", realised=Interval(0.1, 0.1, 0.1)),
        window(1, realised=SCORE),
        window(2, estimated=Interval(0.5, 0.4, 0.6), drifts=(DRIFT,)),
        drift="<amount> (PSI 0.31)",
    )
    assert sentences(seen, GOAL, TEST)[1:] == [
        "Version 3 gave 2,000 answers since 2026-01-02 00:00.",
        "With labels, Recall was 0.870 lately; it was 0.900 on test rows.",
        "Of the newest answers it is about 0.500, estimated without labels.",
        "These values are not as they were in training: <amount> (PSI 0.31).",
    ]


def test_without_answers_nothing_is_said_of_the_model() -> None:
    texts = sentences(found(window(version="", rows=0), service="x"), GOAL, TEST)
    assert texts[0].startswith("Look at the log of the server")
    assert texts[1:] == ["Version 3 gave too few answers to judge it."]


def test_the_page_has_figures_and_values_and_escapes_names() -> None:
    seen = found(window(0, realised=SCORE), window(1, estimated=SCORE, drifts=(DRIFT,)))
    page = render(seen, ABOUT, GOAL, TEST)
    assert page.count("<svg ") == 2
    assert "&lt;amount&gt;" in page
    assert "<amount>" not in page
    assert "Parts &amp; &lt;b&gt;more&lt;/b&gt;" in page
    assert "25.0%" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_page_shows_what_is_known_of_the_server() -> None:
    known = {
        "skew": Skew(instances=1_200, shares={"<amount>": 0.125}),
        "recent": Service(requests=5_000, failed=7, slow=12),
    }
    page = render(found(window(drifts=(DRIFT,))).model_copy(update=known), ABOUT, GOAL, TEST)
    assert "Of 5,000 requests since the last time, 7 failed and 12 were slow." in page
    assert "Of 1,200 instances" in page
    assert "12.50%" in page
    failed = found(window()).model_copy(update={"recent": Service(error="<down>")})
    assert "&lt;down&gt;" in render(failed, ABOUT, GOAL, TEST)


def test_a_page_without_answers_is_rendered() -> None:
    page = render(found(window(version="", rows=0)), ABOUT, GOAL, TEST)
    assert "<svg" not in page
    assert "too few answers" in page
