"""What the figures of use cases share: contenders, axes with a legend, and kinds of lines.

Functions draw on axes of matplotlib. Colours and line styles come from the report's style,
`lifecycle/report.mplstyle`: in order, those of model, baseline and no model.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve

Values: TypeAlias = NDArray[Any]

CONTENDERS: Mapping[str, str] = {
    "model": "model",
    "baseline": "simple baseline",
    "naive": "no model",
}
"""Labels of those whose predictions a report compares."""
FITTED: Mapping[str, str] = {name: CONTENDERS[name] for name in ("model", "baseline")}
"""Labels of those that were fitted, and whose scores differ from row to row."""
REFERENCE: Mapping[str, Any] = {"color": "C2", "linestyle": ":"}
"""Style of a line to compare with, such as that of no model."""
TOP_FEATURES = 12
"""Features of a figure, at most."""
RIGHT = 0.3  # threshold from which there is no room for a text on its right
GAP = 0.5  # between axes and legend, in sizes of the font: the default of matplotlib


def label_axes(axes: Any, xlabel: str, ylabel: str, *, columns: int = 3, gap: float = GAP) -> None:
    """Label the axes, and put the legend above them, where it hides nothing."""
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=gap)


def draw_diagonal(axes: Any, label: str) -> None:
    """Draw the diagonal of the unit square as a line to compare with."""
    axes.plot((0, 1), (0, 1), **REFERENCE, label=label)


def draw_calibration(
    axes: Any,
    labels: Mapping[str, Values],
    scores: Mapping[str, Values],
    strategy: Literal["uniform", "quantile"] = "uniform",
) -> None:
    """Draw the share of positive rows over the mean score, in ten groups of similar score.

    Args:
        axes: where to draw.
        labels: by model and baseline, whether a row is positive, (rows,).
        scores: their probabilities, (rows,).
        strategy: how rows are grouped: `uniform` divides the range of scores, `quantile` the rows.
    """
    for name, text in FITTED.items():
        share, mean = calibration_curve(labels[name], scores[name], n_bins=10, strategy=strategy)
        axes.plot(mean, share, marker="o", label=text)
    draw_diagonal(axes, "ideal")


def draw_means(
    axes: Any, x: Values, group: NDArray[np.int64], values: Mapping[str, Values]
) -> None:
    """Draw the mean of the values of each contender in groups of rows.

    Args:
        axes: where to draw.
        x: where a group is drawn, (groups,).
        group: the number of each row's group, from 0, (rows,).
        values: values by contender, (rows,) each.
    """
    for name, text in CONTENDERS.items():
        axes.plot(x, np.bincount(group, values[name]) / np.bincount(group), marker="o", label=text)


def draw_costs(
    axes: Any, curves: Mapping[str, tuple[Values, Values]], nothing: float, flagged: Values
) -> None:
    """Draw the cost of every threshold on a logarithmic axis, beside that of flagging nothing.

    Args:
        axes: where to draw.
        curves: thresholds and their costs by name, of model and baseline.
        nothing: the cost of flagging no row.
        flagged: scores of the rows that the model flags; the lowest is marked.
    """
    for name, text in FITTED.items():
        axes.plot(*curves[name], label=text)
    axes.axhline(nothing, **REFERENCE, label="flag nothing")
    axes.set(xscale="log", xlim=(1e-3, 1), ylim=(0, 1.6 * nothing or 1))
    if len(flagged):
        lowest = flagged.min()
        axes.axvline(lowest, color="C0", linewidth=1)
        text = f" flagged from {lowest:.2g} "
        side = "right" if lowest > RIGHT else "left"
        axes.text(lowest, axes.get_ylim()[1], text, color="C0", ha=side, va="top", clip_on=True)
    axes.xaxis.set_major_formatter("{x:g}")


def draw_losses(axes: Any, losses: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    """Draw the loss of each epoch, (epoch, loss) by the rows that have it."""
    for rows, points in losses.items():
        axes.plot(*np.transpose(points), label=rows)
    axes.locator_params(axis="x", integer=True)
    label_axes(axes, "epoch", "loss")


def draw_strongest(axes: Any, effects: Values, meanings: Sequence[str]) -> None:
    """Draw the mean absolute effects of the strongest features, with their meanings.

    Args:
        axes: where to draw.
        effects: what each feature changes, (rows, features).
        meanings: of the features, in the order of the effects.
    """
    strength = np.abs(effects).sum(axis=0, dtype=np.float64) / max(len(effects), 1)
    top = np.argsort(strength, kind="stable")[-TOP_FEATURES:]
    axes.barh(np.arange(len(top)), strength[top], height=0.26)
    for row, feature in enumerate(top):  # above its bar, where long descriptions fit
        axes.text(0, row + 0.31, meanings[feature], fontsize="small")
    axes.set(yticks=[])


def draw_interval(axes: Any, x: Values, low: Values, high: Values) -> None:
    """Draw the band between the lower and the upper bounds of the model's interval."""
    axes.fill_between(x, low, high, color="C0", alpha=0.18, linewidth=0)
