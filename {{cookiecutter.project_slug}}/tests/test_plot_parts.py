"""What figures share: each contender has one name, and references are drawn as such."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure as Canvas

from project_package.plot_parts import (
    CONTENDERS,
    FITTED,
    draw_calibration,
    draw_costs,
    draw_losses,
    draw_means,
    label_axes,
)

LABELS = np.arange(1_000) % 4 == 0
QUARTER = np.full(1_000, 0.25)


@pytest.fixture
def axes() -> Any:
    return Canvas().subplots()


def lines(axes: Any) -> dict[str, list[float]]:
    """Return the values of the lines by label."""
    return {line.get_label(): [*map(float, line.get_ydata())] for line in axes.lines}


def test_means_are_those_of_the_rows_of_a_group(axes: Any) -> None:
    values = {name: np.array([1.0, 3, 8]) * n for n, name in enumerate(CONTENDERS)}
    draw_means(axes, np.arange(2), np.array([0, 0, 1]), values)
    assert lines(axes) == {"model": [0, 0], "simple baseline": [2, 8], "no model": [4, 16]}


def test_right_scores_lie_on_the_diagonal(axes: Any) -> None:
    draw_calibration(axes, dict.fromkeys(FITTED, LABELS), {"model": QUARTER, "baseline": QUARTER})
    assert lines(axes) == {"model": [0.25], "simple baseline": [0.25], "ideal": [0, 1]}


def test_legend_is_above_the_axes(axes: Any) -> None:
    axes.plot([0, 1], label="model")
    label_axes(axes, "across", "up")
    axes.figure.draw_without_rendering()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("across", "up")
    assert axes.get_legend().get_window_extent().y0 > axes.get_window_extent().y1


@pytest.mark.parametrize(("lowest", "side"), [(0.01, "left"), (0.9, "right")])
def test_costs_name_the_lowest_flagged_score(axes: Any, lowest: float, side: str) -> None:
    curve = (np.array([0.9, 0.01]), np.array([3.0, 2.0]))
    draw_costs(axes, {"model": curve, "baseline": curve}, 5.0, np.array([0.95, lowest]))
    assert lines(axes)["flag nothing"] == [5, 5]
    (text,) = axes.texts
    assert (text.get_text().strip(), text.get_ha()) == (f"flagged from {lowest:g}", side)


def test_costs_have_no_mark_where_nothing_is_flagged(axes: Any) -> None:
    curve = (np.array([0.9, 0.01]), np.array([3.0, 2.0]))
    draw_costs(axes, {"model": curve, "baseline": curve}, 5.0, np.array([]))
    assert not axes.texts


def test_losses_are_drawn_over_their_epochs(axes: Any) -> None:
    draw_losses(axes, {"training rows": [(3, 0.5), (4, 0.25)]})
    assert lines(axes) == {"training rows": [0.5, 0.25]}
    assert axes.lines[0].get_xdata().tolist() == [3, 4]
