"""Figures and sentences of the report: what was forecast, how wide, and where it fails."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import EXPLAIN, TIMESTAMP, Columns, length, take
from ..contract.about import Figure
from ..contract.task import Model
from ..plot_parts import (
    CONTENDERS,
    TOP_FEATURES,
    draw_interval,
    draw_means,
    draw_strongest,
    label_axes,
)
from .features import DESCRIPTIONS, INPUTS, LEVEL, PRODUCT
from .metrics import COVERAGE, is_covered, mae

SAMPLE = 2_000  # test rows that are explained


def summary(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[str, ...]:
    """Return sentences about the errors and the coverage of the interval."""
    errors = {name: mae(rows, predictions[name]) for name in CONTENDERS}
    covered = np.mean(is_covered(rows, predictions["model"]))
    return (
        f"A product sells {np.mean(rows['units']):.1f} units a week on average; the model's error "
        f"is {errors['model']:.1f} units, and that of the mean of the last four weeks "
        f"{errors['naive']:.1f}.",
        f"The interval should hold {COVERAGE:.0%} of the sales, and held {covered:.0%}.",
    )


def figures(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[Figure, ...]:
    """Return the figures of test rows and the predictions of model, baseline and naive."""
    product = one_product(rows, predictions["model"])
    return error_by_week(rows, predictions), product, coverage_by_level(rows, predictions)


def error_by_week(rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Draw the error of each week of the test."""
    weeks, week = np.unique(rows[TIMESTAMP], return_inverse=True)
    errors = {name: np.abs(rows["units"] - predictions[name]["value"]) for name in CONTENDERS}

    def draw(axes: Any) -> None:
        draw_means(axes, np.arange(len(weeks)), week, errors)
        _label_weeks(axes, weeks, "mean absolute error, units")

    caption = "The mean absolute error over all products, in each week of the test."
    return Figure("weeks", "Errors week by week", caption, draw)


def one_product(rows: Columns, model: Columns) -> Figure:
    """Draw forecasts and sales of the product that varies most for its volume."""
    product = most_variable(rows)
    chosen = np.flatnonzero(rows[PRODUCT] == product)
    chosen = chosen[np.argsort(rows[TIMESTAMP][chosen])]

    def draw(axes: Any) -> None:
        draw_interval(axes, np.arange(len(chosen)), model["low"][chosen], model["high"][chosen])
        axes.plot(model["value"][chosen], color="C0", marker="o", label="forecast, with interval")
        axes.plot(rows["units"][chosen], color="C1", linestyle="none", marker="s", label="sold")
        _label_weeks(axes, rows[TIMESTAMP][chosen], "units")

    caption = (
        f"Product {product}, one that varies much: the line is the forecast, made before the week; "
        f"squares are the sales. {COVERAGE:.0%} of the squares should lie in the band."
    )
    return Figure("product", "Forecasts and sales of one product", caption, draw)


def most_variable(rows: Columns) -> Any:
    """Return the product whose units vary most over their mean, of those that sell ten a week."""
    products = np.unique(rows[PRODUCT].astype(str))
    sold = [rows["units"][rows[PRODUCT] == product] for product in products]
    variation = [np.std(units) / np.mean(units) if np.mean(units) >= 10 else 0 for units in sold]
    return products[np.argmax(variation)]


def coverage_by_level(rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Draw the share of weeks that the interval held, by the level of the product."""
    level = rows[LEVEL]
    edges = np.unique(np.quantile(level, np.linspace(0, 1, 9)[1:-1]))
    group = np.unique(np.searchsorted(edges, level, side="right"), return_inverse=True)[1]
    mean_level = np.bincount(group, level) / np.bincount(group)
    covered = {name: is_covered(rows, predictions[name]) for name in CONTENDERS}

    def draw(axes: Any) -> None:
        draw_means(axes, mean_level, group, covered)
        axes.axhline(COVERAGE, color="C2", linewidth=1)
        axes.set(xscale="log", ylim=(0, 1.02))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("{x:g}")
        axes.yaxis.set_major_formatter("{x:.0%}")
        label_axes(axes, "units a week of the product", "weeks inside the interval", gap=0.2)

    caption = f"Products in groups of similar volume; the line is the wanted {COVERAGE:.0%}."
    return Figure("coverage", "Coverage of the interval", caption, draw)


def importance(rows: Columns, model: Model) -> tuple[Figure, ...]:
    """Draw the features that move the forecasts of a sample of test rows most."""
    random = np.random.default_rng(0)
    sample = take(rows, np.sort(random.permutation(length(rows))[:SAMPLE]))
    explained = {**sample, EXPLAIN: np.ones(length(sample), np.bool_)}
    effects = model.predict(explained)["effects"]

    def draw(axes: Any) -> None:
        draw_strongest(axes, effects, [DESCRIPTIONS[name] for name in INPUTS])
        axes.set(xlabel="mean effect on the forecast, units", xscale="symlog")

    caption = (
        f"How far the {TOP_FEATURES} strongest features move the forecasts of {length(sample):,} "
        "test rows, up or down, on average: against the median of the feature in training."
    )
    return (Figure("features", "What moved the forecasts most", caption, draw),)


def _label_weeks(axes: Any, weeks: NDArray[Any], ylabel: str) -> None:
    """Label the horizontal axis with the dates of the weeks."""
    days = weeks.astype("datetime64[ms]").astype("datetime64[D]").tolist()
    axes.set_xticks(np.arange(len(days)), [f"{day:%d %b}" for day in days])
    axes.set_ylim(bottom=0)
    label_axes(axes, "week from", ylabel, gap=0.2)
