"""The figures and sentences of the report show the numbers that they claim."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas
from sessions.tables import following

from project_package.columns import Columns
from project_package.sessions.dataset import WEEK
from project_package.sessions.figures import figures, summary


def scored() -> tuple[Columns, dict[str, Columns]]:
    """Return one row a week: the model finds all, all and nothing, the baseline a half."""
    rows = {**following(["A", "AB"], ["C", "CD"], ["E", "EF"]), "timestamp": WEEK * np.arange(3)}
    lists = {"model": ["AB", "CD", "XY"], "baseline": ["AX", "CX", "EX"], "naive": ["XY"] * 3}
    scores = np.tile([0.6, 0.4], (3, 1))
    return rows, {
        name: {"items": np.array([[*items] for items in best], object), "scores": scores}
        for name, best in lists.items()
    }


def lines(name: str) -> dict[str, list[float]]:
    """Draw a figure; return the values of its lines by label."""
    axes: Any = Canvas().add_subplot()
    next(figure for figure in figures(*scored()) if figure.name == name).draw(axes)
    axes.figure.draw_without_rendering()
    return {line.get_label(): list(line.get_ydata()) for line in axes.lines}


def test_sentences_have_the_figures() -> None:
    repeated, gains = summary(*scored())
    assert repeated.startswith("50% of a basket, on average, was bought")
    assert "better than it in 2 of 3 weeks, by 0.167 ± 0.471 (the lowest -0.500)" in gains


@pytest.mark.parametrize(
    ("name", "model", "baseline"),
    [
        ("weeks", [1, 1, 0], [0.5, 0.5, 0.5]),
        ("rank", [1 / 3, 2 / 3], [0.5, 0.5]),
    ],
)
def test_figure_shows_recalls(name: str, model: list[float], baseline: list[float]) -> None:
    found = lines(name)
    assert found["model"] == pytest.approx(model)
    assert found["simple baseline"] == pytest.approx(baseline)
    assert not any(found["no model"])


def test_figures_have_titles_and_captions() -> None:
    for figure in figures(*scored()):
        assert figure.title
        assert figure.caption.endswith(".")
