"""The figures of the report are drawn for many and for few clauses."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from project_package.columns import Columns
from project_package.contracts.figures import figures, summary
from project_package.contracts.params import Decide


def predicted(count: int) -> tuple[Columns, Columns]:
    """Return clauses of three types and answers, of which one in four is wrong."""
    types = np.array(["a", "b", "c"], object)[np.arange(count) % 3]
    answers = np.where(np.arange(count) % 4 == 3, "a", types)
    confidence = np.linspace(0.99, 0.3, count)
    accepted = confidence > 0.6
    found = {"type": answers, "confidence": confidence, "accepted": accepted}
    return {"type": types}, found


@pytest.mark.parametrize("count", [3, 200])
def test_figures_are_drawn_for_few_and_many_clauses(count: int) -> None:
    rows, found = predicted(count)
    drawn = figures(Decide(), rows, {"model": found, "baseline": found})
    assert [figure.name for figure in drawn] == ["risk", "types", "confusion", "calibration"]
    for figure in drawn:
        axes: Any = Canvas().add_subplot()
        figure.draw(axes)
        assert figure.caption.endswith(".")


def test_calibration_is_that_of_each_model() -> None:
    rows, found = predicted(200)
    right = {**found, "type": rows["type"]}
    *_, calibration = figures(Decide(), rows, {"model": found, "baseline": right})
    axes: Any = Canvas().add_subplot()
    calibration.draw(axes)
    lines = {line.get_label(): line.get_ydata() for line in axes.get_lines()}
    assert np.all(lines["simple baseline"] == 1)
    assert np.mean(lines["model"]) < 1


def test_summary_says_what_nobody_has_to_read() -> None:
    rows, found = predicted(200)
    none = {**found, "accepted": np.zeros(200, np.bool_)}
    (sentence,) = summary(rows, {"model": found, "baseline": none})
    assert sentence == (
        "Of 200 clauses 56% (15.9% wrong) need not be read; with the simple baseline 0%."
    )
