"""A language model judges answers; how far it agrees with the labels is stated."""

import asyncio
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.providers import providing

from project_package.columns import Columns
from project_package.support import judge as judge_module
from project_package.support.answer import PARTS
from project_package.support.dataset import objects
from project_package.support.figures import summary
from project_package.support.params import SupportParams

LLM = {"model": "small", "retries": 0, "usd_read": 0.1, "usd_written": 0.1}
PASSAGE: dict[str, Any] = dict.fromkeys(PARTS, "") | {"page": 0, "document": "a.md"}
ROWS: Columns = {
    "question": objects(["Fence?", "Price?", "Roof?", "Tiles?"]),
    "answers": objects([("a.md",), ("a.md",), (), ()]),
    "answer": objects(["It is <high>.", "It is low.", "It is red.", ""]),
    "cited": objects(["0", "0", "0", ""]),
    "refused": np.array([False, False, False, True]),
    "confidence": np.array([0.9, 0.8, 0.7, 0.1]),
    "by": objects(["openai"] * 4),
    **{name: np.full((4, 1), value, object) for name, value in PASSAGE.items()},
    "text": np.full((4, 1), "It is high.", object),
}
"""Test rows with their predictions: a right answer, another, a wrong one and a right refusal."""


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what is spent in a folder of the test."""
    monkeypatch.chdir(tmp_path)


def params(judged: int = 50, **options: Any) -> SupportParams:
    """Return parameters with a language model."""
    sections = {"llm": {**LLM, **options}, "promote": {"judged": judged}}
    return SupportParams.model_validate({"name": "x", **sections})


def judge(judged: int = 50, **options: Any) -> Columns:
    """Return the rows with the judgements of a model of the environment."""
    found = judge_module.make_judge(params(judged, **options))
    assert found is not None
    return {**ROWS, **asyncio.run(found.predict(ROWS))}


def reply(_: str, message: str) -> str:
    if "&lt;high&gt;" in message.partition("<answer>")[2]:
        return "Yes, yes."
    return "no yes" if "Roof" in message else "It depends: yes for one case, no for others"


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_answers_are_judged_and_refusals_are_not(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with providing(reply, monkeypatch) as asked:
        judged = judge(provider=provider)
    assert judged[judge_module.JUDGEMENT].tolist() == ["yes yes", "unclear", "no yes", ""]
    assert len(asked.asked) == 3
    expected = {"judged": 2, "unjudged": 1, "judge_agreement": 1.0, "judge_kappa": 1.0}
    assert judge_module.agreement(ROWS, judged) == expected


@pytest.mark.parametrize(
    ("written", "judgement"),
    [
        ("1. yes\n2. no", "yes no"),
        ("**yes** no", "yes no"),
        ("Yes, no.", "yes no"),
        ("_No_\n_Yes_", "no yes"),
        ("Question 1: Yes. Question 2: Yes.", "yes yes"),
        ("yes", "unclear"),
        ("yes maybe", "unclear"),
        ("yes yes yes", "unclear"),
        ("yesno", "unclear"),
        ("No. There is no such passage.", "unclear"),
        ("", "unclear"),
    ],
)
def test_reply_has_two_words_and_little_else(written: str, judgement: str) -> None:
    assert judge_module.read_judgement(written) == judgement


def test_prompt_does_not_number_its_questions() -> None:
    prompt = (Path(judge_module.__file__).parent / "judge.md").read_text("utf-8")
    assert not re.search(r"^\s*\d", prompt, re.MULTILINE)


@pytest.mark.parametrize(
    ("written", "reason"), [("maybe", "unclear"), (503, "provider"), (401, "provider")]
)
def test_reason_of_no_judgement_is_named(
    written: str | int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with providing(lambda *_: written, monkeypatch):
        judged = judge(provider="openai")
    assert judged[judge_module.JUDGEMENT].tolist() == [reason] * 3 + [""]
    found = judge_module.agreement(ROWS, judged)
    assert (found["judged"], found["unjudged"]) == (0, 3)
    assert np.isnan([found["judge_agreement"], found["judge_kappa"]]).all()


def test_spent_budget_leaves_the_rest_unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    with providing(lambda *_: 503, monkeypatch) as asked:  # what it can cost remains reserved
        judged = judge(provider="openai", tokens_a_day=1_500)
    assert len(asked.asked) == 1
    judgements = sorted(judged[judge_module.JUDGEMENT])
    assert judgements == ["", "budget", "budget", "provider"]
    assert judge_module.agreement(ROWS, judged)["unjudged"] == 3


def test_as_many_answers_are_judged_as_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    with providing(reply, monkeypatch) as asked:
        judge(2, provider="openai")
    assert len(asked.asked) == 2


def test_nobody_judges_without_a_key_or_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    assert judge_module.make_judge(params(0, provider="openai")) is None
    monkeypatch.delenv("OPENAI_API_KEY")
    assert judge_module.make_judge(params(provider="openai")) is None
    assert judge_module.agreement(ROWS, ROWS) == {}


@pytest.mark.parametrize(
    ("judgements", "share", "kappa"),
    [
        (["yes yes", "yes yes", "no no", ""], 1.0, 1.0),
        (["yes yes", "yes no", "yes yes", ""], 1 / 3, -0.5),
        (["yes yes", "yes yes", "yes yes", ""], 2 / 3, 0.0),
        (["yes yes", "yes yes", "budget", ""], 1.0, np.nan),
    ],
)
def test_agreement_with_the_labels(judgements: list[str], share: float, kappa: float) -> None:
    found = judge_module.agreement(ROWS, {**ROWS, judge_module.JUDGEMENT: objects(judgements)})
    assert found["judge_agreement"] == pytest.approx(share)
    assert found["judge_kappa"] == pytest.approx(kappa, nan_ok=True)


def test_summary_states_the_agreement() -> None:
    judged = {**ROWS, judge_module.JUDGEMENT: objects(["yes yes", "yes no", "budget", ""])}
    assert summary(ROWS, {"model": judged})[2] == (
        "A language model judged 2 answers, and 1 more without a result; its verdict equals the "
        "label for 50% (Cohen's kappa 0.00)."
    )
    unjudged = {**ROWS, judge_module.JUDGEMENT: objects(["budget"] * 3 + [""])}
    assert summary(ROWS, {"model": unjudged})[2].endswith("for – (Cohen's kappa –).")  # noqa: RUF001
