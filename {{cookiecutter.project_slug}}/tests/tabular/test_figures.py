"""The figures and sentences of the report show the numbers that they claim."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas
from tabular.tables import params, problem, rows

from project_package.columns import Columns
from project_package.contract.about import Figure
from project_package.tabular.figures import figures, summary, thresholds
from project_package.tabular.models import candidates
from project_package.tabular.params import Decide

TABLE = rows()


def predictions(target: str) -> dict[str, Columns]:
    """Return those of the linear model and of the decision tree."""
    tree, linear, *_ = candidates(problem(target))
    found = {"model": linear, "baseline": tree}
    return {name: one.fit(TABLE, one.start, 7).predict(TABLE) for name, one in found.items()}


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("left", ["precision_recall", "calibration", "thresholds"]),
        ("plan", ["confusion"]),
        ("spent", ["values"]),
    ],
)
def test_each_kind_of_task_has_its_figures(target: str, names: list[str]) -> None:
    found = figures(problem(target), Decide(), TABLE, predictions(target))
    assert [figure.name for figure in found] == names
    for figure in found:
        axes: Any = Canvas().add_subplot()
        figure.draw(axes)
        assert axes.get_xlabel() or figure.name == "thresholds"
        assert figure.caption.endswith(".")


def test_confusion_shows_the_shares_of_each_class() -> None:
    right = {"prediction": TABLE["plan"].copy()}
    right["prediction"][TABLE["plan"] == 2] = 0
    axes: Any = Canvas().add_subplot()
    found = figures(problem("plan"), Decide(), TABLE, {"model": right, "baseline": right})
    found[0].draw(axes)
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["100%", "0%", "0%", "0%", "100%", "0%", "100%", "0%", "0%"]


def drawn_table(figure: Figure) -> list[list[str]]:
    """Return the lines of a table that a figure draws."""
    axes: Any = Canvas().add_subplot()
    figure.draw(axes)
    (table,) = axes.tables
    texts = [cell.get_text().get_text() for _, cell in sorted(table.get_celld().items())]
    return [texts[first : first + 5] for first in range(0, len(texts), 5)]


def test_thresholds_have_alarms_found_missed_and_cost() -> None:
    chances = np.linspace(1, 0, 100)
    target = (np.arange(100) % 20 < 8).astype(int)  # 40 rows, of which 8 are among the first 20
    model = {"probabilities": np.stack([1 - chances, chances], 1), "prediction": chances > 0.8}
    decide = Decide(false_positive=1, false_negative=5)
    header, *lines = drawn_table(thresholds(decide, target, model))
    assert header == ["flagged from", "alarms", "found", "missed", "cost"]
    assert lines == [
        ["0.96", "5", "5", "35", "175"],
        ["0.909", "10", "8", "32", "162"],
        ["0.808 (chosen)", "20", "8", "32", "172"],
        ["0.606", "40", "16", "24", "144"],
        ["0.202", "80", "32", "8", "88"],
    ]


def test_thresholds_with_equal_alarms_are_one_line() -> None:
    chances = np.repeat([0.9, 0.5, 0.1], 100)
    model = {"probabilities": np.stack([1 - chances, chances], 1), "prediction": chances > 0.5}
    _, *lines = drawn_table(thresholds(Decide(), (chances > 0.5).astype(int), model))
    assert [line[:2] for line in lines] == [
        ["0.9 (chosen)", "100"],
        ["0.5", "200"],
        ["0.1", "300"],
    ]


def test_thresholds_of_a_model_without_an_alarm_start_from_the_positive_rows() -> None:
    chances = np.linspace(0.4, 0, 100)
    model = {"probabilities": np.stack([1 - chances, chances], 1), "prediction": chances > 1}
    _, first, *lines = drawn_table(thresholds(Decide(), (chances > 0.32).astype(int), model))
    assert first == ["1 (chosen)", "0", "0", "20", "20"]
    assert [line[1] for line in lines] == ["5", "10", "40", "80"]


def test_summary_counts_decisions_and_names_columns_that_are_not_used() -> None:
    flagged = {"prediction": np.ones(400, np.int64)}
    none = {"prediction": np.zeros(400, np.int64)}
    decide = params(decide={"false_negative": 5})
    found = {"model": flagged, "baseline": none, "naive": none}
    first, costs, texts = summary(problem(), decide, TABLE, found)
    left = TABLE["left"].sum()
    assert (
        first
        == f"Of {left} rows with left = true the model finds {left} and misses 0, with 400 alarms."
    )
    assert costs.startswith("The simple baseline finds 0 with 0 alarms.")
    assert costs.endswith("the least cost when a missed row costs 5 and a false alarm 1.")
    assert texts == "Columns of text are not used: note."
    silent = summary(problem(), decide, TABLE, {**found, "model": none})[0]
    assert silent.startswith("The model flags no row at all. Of ")
    assert silent.endswith(f"the model finds 0 and misses {left}, with 0 alarms.")


@pytest.mark.parametrize("target", ["left", "plan", "spent"])
def test_summary_says_that_a_model_is_too_good(target: str) -> None:
    edges = {"low": TABLE[target], "high": TABLE[target]}
    right = {**edges, "prediction": TABLE[target].copy()}
    wrong = {**edges, "prediction": np.roll(TABLE[target], 1)}
    sentences = summary(problem(target), params(), TABLE, {"model": right, "baseline": wrong})
    assert any("nearly perfect" in text for text in sentences)
    right["prediction"][:12] = wrong["prediction"][:12]
    sentences = summary(problem(target), params(), TABLE, {"model": right, "baseline": wrong})
    assert not any("nearly perfect" in text for text in sentences)


def test_summary_of_numbers_has_the_error_and_the_coverage() -> None:
    close = {name: TABLE["spent"] + shift for name, shift in (("low", -1), ("high", 1))}
    wrong = {**close, "prediction": TABLE["spent"] + np.where(np.arange(400) < 300, 0.5, 9)}
    first = summary(problem("spent"), params(), TABLE, {"model": wrong, "baseline": wrong})[0]
    assert "The median error is 0.5" in first
    assert "100% of the values lie in their interval; 80% should." in first
