"""The pictures of the report: what was forecast, how wide, and where it fails.

A picture is a title, a caption and a function that draws on matplotlib Axes. Colours and line
styles come from the report's style: in order, they are those of model, baseline and no model.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..contract import Columns, Figure, take
from .metrics import COVERED, coverage, is_covered, mae, slices

Values: TypeAlias = NDArray[Any]

CONTENDERS = {"model": "model", "baseline": "simple baseline", "naive": "no model"}


def figures(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[Figure, ...]:
    """Give the pictures of test rows and the predictions of model, baseline and naive.

    `rows`: units, timestamp, product_id, the level and the plans, of shape (rows,); `predictions`:
    value, low and high of shape (rows,), in units.
    """
    return (
        by_week(rows, predictions),
        one_product(rows, predictions["model"]),
        by_level(rows, predictions),
        promises(rows, predictions),
    )


def words(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[str, ...]:
    """Say how far the forecasts are off, and how often the interval holds what is sold."""
    errors = {name: mae(rows, predictions[name]["value"]) for name in CONTENDERS}
    held = coverage(rows, predictions["model"])
    return (
        f"Of {np.mean(rows['units']):.1f} units that a product sells in a week on average, the "
        f"model is off by {errors['model']:.1f}; the best mean of past weeks, chosen afterwards, "
        f"by {errors['naive']:.1f}.",
        f"The interval that is to hold {COVERED:.0%} of what is sold held {held:.0%}.",
    )


def by_week(rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Show the error of each week of the test."""
    weeks = np.unique(rows["timestamp"])

    def draw(axes: Any) -> None:
        dates = weeks.astype("datetime64[ms]").astype("datetime64[D]")
        for name, text in CONTENDERS.items():
            errors = [_error(rows, predictions[name], rows["timestamp"] == week) for week in weeks]
            axes.plot(np.arange(len(weeks)), errors, marker="o", label=text)
        axes.set_xticks(np.arange(len(weeks)), [f"{day:%d %b}" for day in dates.tolist()])
        axes.set_ylim(bottom=0)
        _label(axes, "week from", "mean absolute error, units")

    caption = "How many units a forecast is off, on average over the products, in each test week."
    return Figure("weeks", "How far forecasts are off, week by week", caption, draw)


def one_product(rows: Columns, model: Columns) -> Figure:
    """Show what was forecast and sold of the product that varies most for its volume."""
    product = liveliest(rows)
    mine = np.flatnonzero(rows["product_id"] == product)
    mine = mine[np.argsort(rows["timestamp"][mine])]

    def draw(axes: Any) -> None:
        place = np.arange(len(mine))
        dates = rows["timestamp"][mine].astype("datetime64[ms]").astype("datetime64[D]")
        low, high = model["low"][mine], model["high"][mine]
        axes.fill_between(place, low, high, color="C0", alpha=0.18, linewidth=0)
        axes.plot(
            place, model["value"][mine], color="C0", marker="o", label="forecast, with interval"
        )
        axes.plot(
            place, rows["units"][mine], color="C1", linestyle="none", marker="s", label="sold"
        )
        axes.set_xticks(place, [f"{day:%d %b}" for day in dates.tolist()])
        axes.set_ylim(bottom=0)
        _label(axes, "week from", "units")

    caption = (
        f"Product {product}, which varies much: the line is forecast before the week, squares are "
        f"what was sold then. {COVERED:.0%} of the squares should lie in the band."
    )
    return Figure("product", "What one product was forecast and sold", caption, draw)


def liveliest(rows: Columns) -> Any:
    """Give the product whose units vary most over their mean, of those that sell ten a week."""
    products, place = np.unique(rows["product_id"].astype(str), return_inverse=True)
    count = np.bincount(place)
    mean = np.bincount(place, rows["units"]) / count
    square = np.bincount(place, rows["units"] ** 2) / count
    lively = np.sqrt(np.maximum(square - mean**2, 0)) / np.maximum(mean, 1) * (mean >= 10)
    return products[np.argmax(lively)]


def by_level(rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Show the error on slow and fast, promoted and other products, over that of no model."""
    parts = {
        name: mask
        for name, mask in slices(rows).items()
        if not name.startswith(("department", "other")) and mask.any()
    }

    def draw(axes: Any) -> None:
        place = np.arange(len(parts))
        naive = np.array([_error(rows, predictions["naive"], mask) for mask in parts.values()])
        for offset, name in ((-0.2, "model"), (0.2, "baseline")):
            errors = np.array([_error(rows, predictions[name], mask) for mask in parts.values()])
            share = errors / np.maximum(naive, 1e-9)
            axes.barh(place + offset, share, height=0.36, label=CONTENDERS[name])
        axes.axvline(1, color="C2", linestyle=":", label=CONTENDERS["naive"])
        axes.set_yticks(place, list(parts))
        axes.invert_yaxis()
        axes.grid(visible=False)
        _label(axes, "error over that of no model", "")

    caption = (
        "Below 1 a forecast is closer than the best mean of past weeks. Level is units a week."
    )
    return Figure("parts", "Where the model helps", caption, draw)


def promises(rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Show the share of weeks that the interval held, by the level of the product."""
    level = rows["mean_13w"]
    edges = np.unique(np.quantile(level, np.linspace(0, 1, 9)[1:-1]))
    group = np.unique(np.searchsorted(edges, level, side="right"), return_inverse=True)[1]

    def draw(axes: Any) -> None:
        for name, text in CONTENDERS.items():
            held = is_covered(rows, predictions[name])
            size = np.bincount(group)
            middle = np.bincount(group, level) / size
            axes.plot(middle, np.bincount(group, held) / size, marker="o", label=text)
        axes.axhline(COVERED, color="C2", linewidth=1)
        axes.set(xscale="log", ylim=(0, 1.02))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:.0%}")
        _label(axes, "units a week of the product", "weeks inside the interval")

    caption = (
        f"Products in groups of similar volume. The interval promises {COVERED:.0%}, the line."
    )
    return Figure("coverage", "Whether the interval keeps its promise", caption, draw)


def _error(rows: Columns, given: Columns, part: Values) -> float:
    return mae(take(rows, part), given["value"][part])


def _label(axes: Any, xlabel: str, ylabel: str) -> None:
    """Name the axes, and the lines in a row above, where they hide nothing."""
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, borderaxespad=0.2)
