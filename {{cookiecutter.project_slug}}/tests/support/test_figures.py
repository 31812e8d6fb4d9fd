"""The figures of the report are drawn for many and for few questions."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from project_package.columns import Columns
from project_package.support.dataset import objects
from project_package.support.figures import figures, summary


def predicted(count: int) -> tuple[Columns, Columns]:
    """Return questions, of which two in three can be answered, and answers, some of them wrong."""
    index = np.arange(count)
    answers = objects([() if row % 3 == 2 else ("a.md",) for row in index])
    rows = {"question": objects([f"Question {row}?" for row in index]), "answers": answers}
    documents = np.where(index[:, None] % 5 == 4, "b.md", "a.md").astype(object)
    refused = index % 3 == 2
    refused[::7] = ~refused[::7]
    confidence = np.where(refused, 0.2, 0.8) + np.linspace(0, 0.1, count)
    cited = objects(["" if no else "0" for no in refused])
    found = {"document": documents, "refused": refused, "confidence": confidence}
    texts = {name: np.full((count, 1), "A b.", object) for name in ("title", "text")}
    answer = objects(["" if no else "A b." for no in refused])
    by = np.where(index % 2, "extractive", "openai").astype(object)
    return rows, {**found, **texts, "answer": answer, "cited": cited, "by": by}


def draw(figure: Any) -> Any:
    axes = Canvas().add_subplot()
    figure.draw(axes)
    return axes


@pytest.mark.parametrize("count", [3, 210])
def test_figures_are_drawn_for_few_and_many_questions(count: int) -> None:
    rows, found = predicted(count)
    drawn = figures(rows, {"model": found, "baseline": found})
    assert [one.name for one in drawn] == ["refusals", "recall", "calibration", "mistakes"]
    for figure in drawn:
        draw(figure)
        assert figure.caption.endswith(".")


def test_mistakes_show_what_was_expected() -> None:
    rows, found = predicted(210)
    *_, mistakes = figures(rows, {"model": found, "baseline": found})
    texts = [text.get_text() for text in draw(mistakes).texts]
    assert len(texts) == 20
    assert "b.md; expected a.md" in texts
    assert any(text.endswith("expected a refusal") for text in texts)


def test_summary_says_what_is_answered_and_refused() -> None:
    rows, found = predicted(210)
    answered, grounded = summary(rows, {"model": found, "baseline": found})
    assert answered == (
        "Of 140 questions that the documents answer 86% are answered, 69% by a right passage; of "
        "70 others 86% are refused."
    )
    assert grounded == "100% of the quoted answers and 0% of the written answers are grounded."
    quoted = {**found, "by": np.full(210, "extractive", object)}
    assert summary(rows, {"model": quoted})[1] == "100% of the quoted answers are grounded."


def test_summary_without_unanswerable_questions_has_a_dash() -> None:
    rows, found = predicted(2)
    assert summary(rows, {"model": found})[0].endswith("of 0 others – are refused.")  # noqa: RUF001
