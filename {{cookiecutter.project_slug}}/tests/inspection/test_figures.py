"""The figures of the report are drawn for many and for few images."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from project_package.columns import Columns, take
from project_package.inspection.figures import (
    figures,
    importance,
    mistakes,
    summary,
)
from project_package.inspection.params import InspectionParams
from project_package.inspection.simulator import Simulated, simulate

ROWS = {**simulate(Simulated(parts=100, size=32, seed=5)), "copied": np.zeros(200, np.bool_)}
PARAMS = InspectionParams(name="figures")


def predict(rows: Columns) -> Columns:
    """Return the share of bright pixels as probability, and no decision for a defect."""
    probability = np.mean(rows["image"] > 140, axis=(1, 2)).astype(np.float32)
    none = np.zeros(len(probability), np.bool_)
    regions = np.ones((len(probability), 8, 8), np.float32)
    return {"probability": probability, "decision": none, "regions": regions}


@pytest.mark.parametrize("count", [3, 200])
def test_figures_are_drawn_for_few_and_many_images(count: int) -> None:
    first = np.flatnonzero(ROWS["is_defective"])[:1]
    rows = take(ROWS, np.unique(np.concatenate([first, np.arange(count)])))
    both = {"model": predict(rows), "baseline": predict(rows)}
    found = (*figures(PARAMS, rows, both), *importance(rows, SimpleNamespace(predict=predict)))
    assert [figure.name for figure in found] == ["roc", "cost", "mistakes", "regions"]
    for figure in found:
        axes: Any = Canvas().add_subplot()
        figure.draw(axes)
        assert figure.caption.endswith(".")


def test_worst_mistakes_come_first() -> None:
    model = predict(ROWS)
    axes: Any = Canvas().add_subplot()
    mistakes(ROWS, model).draw(axes)
    shown = [float(text.get_text()) for text in axes.texts]
    defective = model["probability"][ROWS["is_defective"]]
    assert shown[0] == pytest.approx(defective.min(), abs=0.006)
    good = model["probability"][~ROWS["is_defective"]]
    assert shown[12] == pytest.approx(good.max(), abs=0.006)


def test_wrong_decisions_are_red() -> None:
    axes: Any = Canvas().add_subplot()
    mistakes(ROWS, {**predict(ROWS), "decision": ROWS["is_defective"]}).draw(axes)
    assert {text.get_color() for text in axes.texts} == {"white"}
    mistakes(ROWS, {**predict(ROWS), "decision": ~ROWS["is_defective"]}).draw(axes)
    assert [text.get_color() for text in axes.texts[24:]] == ["red"] * 24


def test_summary_counts_images() -> None:
    flagged = {"decision": np.ones(len(ROWS["name"]), np.bool_)}
    (text,) = summary(ROWS, {"model": flagged, "baseline": flagged})
    defective = int(ROWS["is_defective"].sum())
    assert f"Of {defective} images of defective parts the model finds {defective} with" in text
    copied = np.arange(200) < 3
    _, warning = summary({**ROWS, "copied": copied}, {"model": flagged, "baseline": flagged})
    assert warning.startswith("3 test images nearly equal training images of other parts")
