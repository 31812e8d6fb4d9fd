"""Features are ordered by what the score loses, and drawn with the answers that they lead to."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas
from tabular.tables import params, problem, rows

from project_package.columns import Columns
from project_package.contract.about import Figure
from project_package.tabular.importance import dependence, importance
from project_package.tabular.metrics import find_metrics
from project_package.tabular.models import candidates

TABLE = rows()


def drawn(figure: Figure) -> Canvas:
    """Return the canvas with a figure."""
    canvas = Canvas()
    figure.draw(canvas.add_subplot())
    return canvas


def curves(canvas: Any) -> dict[str, tuple[Any, Any]]:
    """Return positions and answers of each panel, by its title."""
    found = {panel.get_title(): panel.lines[0] for panel in canvas.axes if panel.lines}
    return {n: (line.get_xdata().tolist(), line.get_ydata().tolist()) for n, line in found.items()}


def spending(rows: Columns) -> Columns:
    """Predict ten for each 家, and five more for the class plus."""
    home = np.nan_to_num(rows["家"])
    return {"prediction": 10 * home + np.where(rows["class"] == "plus", 5, 0)}


@pytest.mark.parametrize("target", ["left", "plan", "spent"])
def test_most_important_features_are_those_that_decide(target: str) -> None:
    found = problem(target)
    linear = candidates(found)[1]
    fitted = linear.fit(TABLE, linear.start, 7)
    goal = find_metrics(found, params())[0]
    ranking, answers = importance(found, goal, TABLE, fitted.predict)
    (axes,) = drawn(ranking).axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    widths = [bar.get_width() for bar in axes.patches]  # type: ignore[attr-defined]
    assert {*names[-2:]} == {"paid", "家"}
    assert widths == sorted(widths)
    assert widths[-1] > 5 * abs(widths[0])
    assert {*list(curves(drawn(answers)))[:2]} == {"paid", "家"}


@pytest.mark.parametrize(
    ("target", "answer"),
    [("left", "left = true"), ("plan", "plan = c"), ("spent", "spent")],
)
def test_answer_is_of_the_positive_or_the_most_frequent_class(target: str, answer: str) -> None:
    chances = {"left": [0.25, 0.75], "plan": [0.1, 0.15, 0.75], "spent": [0.75]}[target]

    def predict(rows: Columns) -> Columns:
        values = np.tile(chances, (len(rows["家"]), 1))
        return {"probabilities": values, "prediction": values[:, 0]}

    sample = {**TABLE, "plan": np.where(TABLE["plan"] == 0, 0, 2)}
    figure = dependence(problem(target), sample, predict, ["家"])
    assert f" {answer} when 400 test rows" in figure.caption
    canvas: Any = drawn(figure)
    assert canvas.get_supylabel().endswith(answer)
    assert {*curves(canvas)["家"][1]} == {0.75}


def test_answers_are_means_over_rows_that_get_the_same_value() -> None:
    sample = {**TABLE, "家": np.resize([1.0, 2.0, np.nan], 400)}
    sample["class"] = np.array(["plus"] * 100 + [""] * 300, object)
    canvas: Any = drawn(dependence(problem("spent"), sample, spending, ["家", "class", "since"]))
    homes, classes, since = curves(canvas).values()
    mean = np.mean(np.nan_to_num(sample["家"]))
    assert homes == ([1, 2], pytest.approx([11.25, 21.25]))
    assert classes == ([0, 1], pytest.approx([10 * mean, 10 * mean + 5]))
    labels = [label.get_text() for label in canvas.axes[2].get_xticklabels()]
    assert labels == ["missing", "plus"]
    shares = [np.mean(sample["since"] <= value) for value in since[0]]
    assert shares == pytest.approx(np.linspace(0.05, 0.95, 13), abs=0.0026)
    assert np.ptp(since[1]) == 0


def test_number_with_one_frequent_value_is_drawn_over_the_others() -> None:
    sample = {**TABLE, "paid": np.where(np.arange(400) < 390, 0.0, np.arange(400))}
    values, _ = curves(drawn(dependence(problem("spent"), sample, spending, ["paid"])))["paid"]
    assert values == [0, *range(390, 400)]


def test_feature_without_an_effect_is_not_drawn() -> None:
    found = problem("spent")
    goal = find_metrics(found, params())[0]
    table = {**TABLE, "paid": np.full(400, np.nan), "active": np.ones(400)}
    interval = {"low": table["spent"], "high": table["spent"]}
    _, answers = importance(found, goal, table, lambda rows: {**interval, **spending(rows)})
    assert {*curves(drawn(answers))} == {"家", "class"}
    alone = {"prediction": table["spent"], **interval}
    assert len(importance(found, goal, table, lambda _: alone)) == 1
