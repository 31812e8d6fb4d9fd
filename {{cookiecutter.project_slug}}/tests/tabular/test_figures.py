"""The figures and sentences of the report show the numbers that they claim."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas
from tabular.tables import params, problem, rows

from project_package.columns import Columns
from project_package.tabular.figures import figures, importance, summary
from project_package.tabular.metrics import find_metrics
from project_package.tabular.models import candidates
from project_package.tabular.params import TabularParams

TABLE = rows()


def predictions(target: str) -> dict[str, Columns]:
    """Return those of the linear model and of the decision tree."""
    tree, linear, *_ = candidates(problem(target))
    found = {"model": linear, "baseline": tree}
    return {name: one.fit(TABLE, one.start, 7).predict(TABLE) for name, one in found.items()}


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("left", ["precision_recall", "calibration"]),
        ("plan", ["confusion"]),
        ("spent", ["values"]),
    ],
)
def test_each_kind_of_task_has_its_figures(target: str, names: list[str]) -> None:
    found = figures(problem(target), TABLE, predictions(target))
    assert [figure.name for figure in found] == names
    for figure in found:
        axes: Any = Canvas().add_subplot()
        figure.draw(axes)
        assert axes.get_xlabel()
        assert figure.caption.endswith(".")


def test_confusion_shows_the_shares_of_each_class() -> None:
    right = {"prediction": TABLE["plan"].copy()}
    right["prediction"][TABLE["plan"] == 2] = 0
    axes: Any = Canvas().add_subplot()
    figures(problem("plan"), TABLE, {"model": right, "baseline": right})[0].draw(axes)
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["100%", "0%", "0%", "0%", "100%", "0%", "100%", "0%", "0%"]


@pytest.mark.parametrize("target", ["left", "plan", "spent"])
def test_most_important_features_are_those_that_decide(target: str) -> None:
    found = problem(target)
    goal = find_metrics(found, TabularParams(name="tiny"))[0]
    linear = candidates(found)[1]
    fitted = linear.fit(TABLE, linear.start, 7)
    (figure,) = importance(found, goal, TABLE, fitted.predict)
    axes: Any = Canvas().add_subplot()
    figure.draw(axes)
    names = [label.get_text() for label in axes.get_yticklabels()]
    widths = [bar.get_width() for bar in axes.patches]
    assert {*names[-2:]} == {"paid", "家"}
    assert widths == sorted(widths)
    assert widths[-1] > 5 * abs(widths[0])


def test_summary_counts_alarms_and_names_columns_that_are_not_used() -> None:
    flagged = {"prediction": np.ones(400, np.int64)}
    none = {"prediction": np.zeros(400, np.int64)}
    found = {"model": flagged, "baseline": flagged, "naive": none}
    first, texts = summary(problem(), params(decide={"false_negative": 5}), TABLE, found)
    assert f"Of {TABLE['left'].sum()} rows with left = true the model finds" in first
    assert f"{TABLE['left'].sum()} with 400 alarms" in first
    assert first.endswith("the least cost when a missed row costs 5 and a false alarm 1.")
    assert texts == "Columns of text are not used: note."


def test_summary_of_numbers_has_the_error_and_the_coverage() -> None:
    close = {name: TABLE["spent"] + shift for name, shift in (("low", -1), ("high", 1))}
    wrong = {**close, "prediction": TABLE["spent"] + np.where(np.arange(400) < 300, 0.5, 9)}
    first = summary(problem("spent"), params(), TABLE, {"model": wrong, "baseline": wrong})[0]
    assert "The median error is 0.5" in first
    assert "100% of the values lie in their interval; 80% should." in first
