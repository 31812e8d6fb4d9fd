"""The learning curve has the scores of the same model, fitted on fewer rows."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas
from tabular.tables import params, problem, rows

from project_package.columns import Columns
from project_package.contract.training import Metric
from project_package.tabular.date_parts import DAY
from project_package.tabular.decide_and_explain import Curve, Details
from project_package.tabular.fitted import Fitted
from project_package.tabular.learning_curve import learning, with_curve
from project_package.tabular.metrics import find_metrics
from project_package.tabular.models import candidates

TABLE = rows(800)


@dataclass
class Fits:
    """Keeps the rows that models are fitted to, and those that the last one predicts."""

    parts: list[Columns] = field(default_factory=list)
    held_out: Columns = field(default_factory=dict)

    def refit(self, part: Columns) -> Any:
        self.parts.append(part)
        return self

    def predict(self, held_out: Columns) -> Columns:
        self.held_out = held_out
        return {}

    def curve(self, table: Columns, *without: str, target: str = "left", gap: float = 0) -> Curve:
        """Return the curve by a metric that counts the fits."""
        metric = Metric("fits", "Fits", lambda *_: float(len(self.parts)))
        details = Details(problem=problem(target, without), typical={})
        return with_curve(metric, Fitted((), details, self.refit), table, gap).details.curve


def test_newest_rows_are_held_out_and_the_newest_others_fitted() -> None:
    fits = Fits()
    assert fits.curve(TABLE) == ((150, 1), (300, 2), (600, 3))
    assert fits.held_out["month"].min() == TABLE["month"][600]
    assert fits.parts[0]["month"].min() >= np.quantile(TABLE["month"], 0.5)


def test_rows_whose_target_is_not_known_in_time_are_left_out() -> None:
    fits = Fits()
    assert [count for count, _ in fits.curve(TABLE, gap=45)] == [140, 280, 560]
    assert fits.parts[-1]["month"].max() + 45 * DAY <= fits.held_out["month"].min()


def test_rows_of_a_group_stay_together() -> None:
    fits = Fits()
    table = {name: values for name, values in TABLE.items() if name != "month"}
    assert [count for count, _ in fits.curve(table, "month", "since")] == [150, 300, 600]
    assert not {*fits.parts[-1]["firm"]} & {*fits.held_out["firm"]}


def test_too_few_rows_and_rows_without_a_class_are_not_fitted() -> None:
    assert Fits().curve(rows(120)) == ()
    late = {**TABLE, "plan": np.where(np.arange(800) < 400, 0, TABLE["plan"])}
    late["plan"][:100] = 2
    assert [count for count, _ in Fits().curve(late, target="plan")] == [150, 300, 600]
    late["plan"][350:600] = 0
    assert not Fits().curve(late, target="plan")
    early = {**TABLE, "plan": np.where(np.arange(800) < 600, TABLE["plan"], 0)}
    assert not Fits().curve(early, target="plan")


@pytest.mark.parametrize("target", ["left", "plan", "spent"])
def test_more_rows_make_a_model_better(target: str) -> None:
    found = problem(target)
    goal = find_metrics(found, params())[0]
    boosting = candidates(found)[2]
    fitted: Any = boosting.fit(TABLE, boosting.start, 7)
    curve = with_curve(goal, fitted, TABLE, 0).details.curve
    assert goal.gain(curve[-1][1], curve[0][1]) > 0
    (figure,) = learning(goal, curve)
    axes = Canvas().add_subplot()
    figure.draw(axes)
    assert axes.lines[0].get_xdata().tolist() == [150, 300, 600]  # type: ignore[union-attr]
    assert not learning(goal, curve[:1])
