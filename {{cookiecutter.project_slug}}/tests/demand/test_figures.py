"""The figures and sentences of the report show the numbers that they claim."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from project_package.columns import Columns
from project_package.demand.features import DESCRIPTIONS, INPUTS
from project_package.demand.figures import (
    figures,
    importance,
    most_variable,
    summary,
)
from project_package.lifecycle.evaluate import find_challenger
from project_package.lifecycle.project import Project
from project_package.lifecycle.scores import Score, number

WEEK = 7 * 86_400_000


def scored(weeks: int = 6, products: int = 40) -> tuple[Columns, dict[str, Columns]]:
    random = np.random.default_rng(1)
    level = np.tile(random.gamma(2, 10, products), weeks)
    rows: dict[str, Any] = {
        "timestamp": np.repeat(1_500_249_600_000 + WEEK * np.arange(weeks), products),
        "product_id": np.tile([f"P{number}" for number in range(products)], weeks).astype(object),
        "units": random.poisson(level).astype(np.float64),
        "mean_13w": level,
    }
    model = {"value": level, "low": 0.5 * level, "high": 1.5 * level}
    rival = {name: 2 * values for name, values in model.items()}
    return rows, {"model": model, "baseline": rival, "naive": rival}


def test_draws_and_describes_a_test_without_sales() -> None:
    rows, predictions = scored(2, 2)
    found = figures({**rows, "units": np.zeros(4)}, predictions)
    assert [figure.name for figure in found] == ["weeks", "product", "coverage"]
    for figure in found:
        figure.draw(Canvas().add_subplot())
        assert figure.title
        assert figure.caption.endswith(".")


def test_shows_what_moved_the_forecasts_most() -> None:
    class Model:
        def predict(self, rows: Columns) -> Columns:
            assert rows["explain"].all()
            effects = np.zeros((len(rows["explain"]), len(INPUTS)))
            effects[:, INPUTS.index("display")] = np.where(np.arange(len(effects)) % 2, -3, 5)
            return {"effects": effects}

    (figure,) = importance(scored()[0], Model())
    axes: Any = Canvas().add_subplot()
    figure.draw(axes)
    assert [bar.get_width() for bar in axes.patches][-2:] == [0, 4]
    assert axes.texts[-1].get_text() == DESCRIPTIONS["display"]
    assert "240 test rows" in figure.caption


def test_first_line_is_the_error_of_the_model() -> None:
    rows, predictions = scored()
    axes: Any = Canvas().add_subplot()
    figures(rows, predictions)[0].draw(axes)
    first = axes.get_lines()[0]
    now = rows["timestamp"] == rows["timestamp"][0]
    error = np.abs(rows["units"] - predictions["model"]["value"])[now].mean()
    assert first.get_label() == "model"
    assert first.get_ydata()[0] == pytest.approx(error)


def test_shows_the_product_that_varies_most() -> None:
    rows, predictions = scored()
    units = np.where(rows["product_id"] == "P7", np.where(np.arange(240) < 120, 0, 90), 20.0)
    assert most_variable({**rows, "units": units}) == "P7"
    caption = figures({**rows, "units": units}, predictions)[1].caption
    assert caption.startswith("Product P7")


def test_summary_states_errors_and_coverage() -> None:
    rows, predictions = scored()
    error = np.abs(rows["units"] - predictions["model"]["value"]).mean()
    first, second = summary(rows, predictions)
    assert f"the model's error is {error:.1f} units" in first
    assert second.startswith("The interval should hold 80% of the sales, and held")


@pytest.mark.parametrize("use_case", ["demand"], indirect=True, scope="session")
def test_relative_error_is_the_quotient_of_the_errors(project: Project) -> None:
    evaluation = project.registry.evaluation(find_challenger(project))
    whole: dict[str, Score | None] = {score.name: score for score in evaluation.scores}
    for scores in (whole, *(part.scores for part in evaluation.slices)):
        error = scores["mae"]
        relative = scores["relative_mae"]
        if error and relative:  # a small slice may have neither
            assert relative.model == pytest.approx(error.model / error.naive)
            assert relative.naive == 1
    assert all(whole.values())
    mae = evaluation.score("mae")
    page = (project.workspace.reports / "report.html").read_text(encoding="utf-8")
    assert f"error is {mae.model:.1f} units, and that of the mean of the last" in page
    assert f">{number(mae.model)}<" in page
