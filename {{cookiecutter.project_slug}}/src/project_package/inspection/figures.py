"""Sentences and figures of the report: what is found, the worst mistakes, and where it looks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from ..columns import Columns
from ..contract.about import Figure
from ..contract.task import Model
from ..plot_parts import FITTED, draw_costs, draw_diagonal, label_axes
from ..thresholds import threshold_costs
from .images import side, stack
from .params import Decide, InspectionParams

ACROSS = 6  # images of a row
GAP = 2  # between images, in pixels


def summary(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[str, ...]:
    """Summarise how many defects are found, how many alarms are false, and name copies."""
    labels = rows["is_defective"]
    finds = {}
    for name in FITTED:
        decision = predictions[name]["decision"]
        finds[name] = f"{np.sum(labels & decision):,} with {np.sum(~labels & decision):,}"
    copied = int(np.sum(rows["copied"]))
    warning = f"{copied:,} test images nearly equal training images of other parts: see `ml data`."
    return (
        f"Of {np.sum(labels):,} images of defective parts the model finds {finds['model']} false "
        f"alarms among {np.sum(~labels):,} good ones; the simple baseline finds "
        f"{finds['baseline']}.",
        *([warning] if copied else []),
    )


def figures(
    params: InspectionParams, rows: Columns, predictions: Mapping[str, Columns]
) -> tuple[Figure, ...]:
    """Return the ROC curve, costs where they decide, and the gallery of the worst mistakes."""
    costs = () if params.data.good_only else (cost(params.decide, rows, predictions),)
    return roc(rows, predictions), *costs, mistakes(rows, predictions["model"])


def roc(rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Draw the share of defects found over the share of good parts rejected."""

    def draw(axes: Any) -> None:
        for name, text in FITTED.items():
            rejected, recall, _ = roc_curve(rows["is_defective"], predictions[name]["probability"])
            axes.plot(rejected, recall, label=text)
        draw_diagonal(axes, "no model")
        axes.set(xlabel="share of good parts rejected", ylabel="share of defects found")
        axes.legend(loc="lower right")

    caption = "Each line goes through all thresholds, from high on the left to low on the right."
    return Figure("roc", "Defects found and good parts rejected", caption, draw)


def cost(decide: Decide, rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Draw the mean cost of the decisions by each threshold."""
    labels = rows["is_defective"]
    missed = decide.missed * labels / len(labels)
    alarms = decide.false_alarm * ~labels / len(labels)

    def draw(axes: Any) -> None:
        scores = {name: predictions[name]["probability"] for name in FITTED}
        curves = {name: threshold_costs(scores[name], alarms, missed) for name in FITTED}
        flagged = scores["model"][predictions["model"]["decision"]]
        draw_costs(axes, curves, missed.sum(), flagged)
        label_axes(axes, "threshold of the probability", "mean cost of an image")

    caption = (
        f"A good part that is rejected costs {decide.false_alarm:g}, and a missed defect "
        f"{decide.missed:g}. A low threshold rejects too much, a high one misses too much."
    )
    return Figure("cost", "What each threshold costs", caption, draw)


def show(axes: Any, images: NDArray[Any]) -> None:
    """Draw grey images side by side, in rows of `ACROSS`, each with a gap after it."""
    sides = ((0, 0), (0, GAP), (0, GAP))
    tiles = np.pad(images.astype(float), sides, constant_values=np.nan)  # NaN is transparent
    size = tiles.shape[1]
    grid = tiles.reshape(-1, ACROSS, size, size).swapaxes(1, 2).reshape(-1, ACROSS * size)
    axes.imshow(grid, cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)


def mistakes(rows: Columns, model: Columns) -> Figure:
    """Draw the defects with the lowest and the good parts with the highest probability."""
    probability = model["probability"]
    labels = rows["is_defective"]
    size = side(rows["image"]) + GAP
    rising = np.argsort(probability, kind="stable")
    missed = rising[labels[rising]]
    false_alarms = rising[~labels[rising]][::-1]
    chosen = np.concatenate([np.resize(each, 2 * ACROSS) for each in (missed, false_alarms)])

    def draw(axes: Any) -> None:
        show(axes, stack(rows["image"][chosen]))
        for number, row in enumerate(chosen):
            line, column = divmod(number, ACROSS)
            x = column * size + 2
            y = line * size + size / 7
            color = "red" if model["decision"][row] != labels[row] else "white"
            axes.text(x, y, f"{probability[row]:.2f}", color=color, fontsize=7)
        axes.set_yticks([size, 3 * size], ["defective", "good"])

    caption = (
        "Two rows of defects with the lowest probability, then two of good parts with the highest; "
        "red where the decision is wrong."
    )
    return Figure("mistakes", "The worst mistakes", caption, draw)


def importance(rows: Columns, model: Model) -> tuple[Figure, ...]:
    """Draw the regions that moved the probability, for defects with a high one."""
    defective = {"image": rows["image"][rows["is_defective"]][:200]}
    falling = np.argsort(-model.predict(defective)["probability"], kind="stable")
    chosen = falling[np.linspace(0, len(falling) // 2, 2 * ACROSS).astype(int)]
    images = stack(defective["image"][chosen])
    regions = model.predict({"image": images, "explain": np.ones(len(chosen), np.bool_)})["regions"]
    size = images.shape[1]
    step = size + GAP

    def draw(axes: Any) -> None:
        show(axes, np.concatenate([images[:ACROSS]] * 2 + [images[ACROSS:]] * 2))
        for number, effects in enumerate(regions):
            line, column = divmod(number, ACROSS)
            left = column * step - 0.5
            top = (2 * line + 1) * step - 0.5
            extent = (left, left + size, top + size, top)
            heat = np.clip(effects / max(effects.max(), 1e-9), 0, 1)
            axes.imshow(heat, cmap="inferno", alpha=0.55, extent=extent, vmin=0, vmax=1)
        axes.set(xlim=(0, ACROSS * step), ylim=(4 * step, 0))

    caption = (
        "Defects with a high probability, and below each the regions that it depends on: bright "
        "where it falls most when the region is covered."
    )
    return (Figure("regions", "Regions that the probability depends on", caption, draw),)
