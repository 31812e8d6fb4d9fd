"""Sentences and figures of the report: what is found, the worst mistakes, and where it looks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from ..columns import Columns
from ..contract.training import Figure, Predict

FITTED = {"model": "model", "baseline": "simple baseline"}
ACROSS = 6  # images of a row


def summary(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[str, ...]:
    """Say how many defects are found with how many false alarms, and how many images are copies."""
    labels = rows["is_defective"]
    texts = []
    for name in FITTED:
        decision = predictions[name]["decision"]
        texts.append(f"{np.sum(labels & decision):,} with {np.sum(~labels & decision):,}")
    copied = int(np.sum(rows["copied"]))
    warning = f"{copied:,} test images nearly equal training images of other parts: see `ml data`."
    return (
        f"Of {np.sum(labels):,} images of defective parts the model finds {texts[0]} false alarms "
        f"among {np.sum(~labels):,} good ones; the simple baseline finds {texts[1]}.",
        *([warning] if copied else []),
    )


def figures(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[Figure, ...]:
    """Return the ROC curve and the gallery of the worst mistakes."""
    return roc(rows, predictions), mistakes(rows, predictions["model"])


def roc(rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Draw the share of defects found over the share of good parts rejected."""

    def draw(axes: Any) -> None:
        for name, text in FITTED.items():
            false, found, _ = roc_curve(rows["is_defective"], predictions[name]["probability"])
            axes.plot(false, found, label=text)
        axes.plot((0, 1), (0, 1), color="C2", linestyle=":", label="no model")
        axes.set(xlabel="share of good parts rejected", ylabel="share of defects found")
        axes.legend(loc="lower right")

    caption = "Each line goes through all thresholds, from high on the left to low on the right."
    return Figure("roc", "Defects found and good parts rejected", caption, draw)


def show(axes: Any, images: NDArray[Any]) -> None:
    """Draw grey images side by side, in rows of `ACROSS`, without axes."""
    size = images.shape[1]
    grid = images.reshape(-1, ACROSS, size, size).swapaxes(1, 2).reshape(-1, ACROSS * size)
    axes.imshow(grid, cmap="gray", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)


def mistakes(rows: Columns, model: Columns) -> Figure:
    """Draw the defects with the lowest and the good parts with the highest probability."""
    probability, labels = model["probability"], rows["is_defective"]
    order, size = np.argsort(probability, kind="stable"), rows["image"].shape[1]
    missed, false = order[labels[order]], order[~labels[order]][::-1]
    chosen = np.concatenate([np.resize(part, 2 * ACROSS) for part in (missed, false)])

    def draw(axes: Any) -> None:
        show(axes, rows["image"][chosen])
        for number, index in enumerate(chosen):
            line, column = divmod(number, ACROSS)
            wrong = model["decision"][index] != labels[index]
            place, color = (column * size + 2, line * size + size / 7), "red" if wrong else "white"
            axes.text(*place, f"{probability[index]:.2f}", color=color, fontsize=7)
        axes.set_yticks([size, 3 * size], ["defective", "good"])

    caption = (
        "Two rows of defects with the lowest probability, then two of good parts with the highest; "
        "red where the decision is wrong."
    )
    return Figure("mistakes", "The worst mistakes", caption, draw)


def importance(rows: Columns, predict: Predict) -> tuple[Figure, ...]:
    """Draw the regions that moved the probability, for defects with a high one."""
    defective = {"image": rows["image"][rows["is_defective"]][:200]}
    order = np.argsort(-predict(defective)["probability"], kind="stable")
    found = order[np.linspace(0, len(order) // 2, 2 * ACROSS).astype(int)]
    images = defective["image"][found]
    regions = predict({"image": images, "explain": np.ones(len(found), np.bool_)})["regions"]
    size = images.shape[1]

    def draw(axes: Any) -> None:
        show(axes, np.concatenate([images[:ACROSS]] * 2 + [images[ACROSS:]] * 2))
        for number, one in enumerate(regions):
            line, column = divmod(number, ACROSS)
            place = np.array([column, column + 1, 2 * line + 2, 2 * line + 1]) * size
            heat = np.clip(one / max(one.max(), 1e-9), 0, 1)
            axes.imshow(heat, cmap="inferno", alpha=0.55, extent=place, vmin=0, vmax=1)
        axes.set(xlim=(0, ACROSS * size), ylim=(4 * size, 0))

    caption = (
        "Defects with a high probability, and below each the regions that it depends on: bright "
        "where it falls most when the region is covered."
    )
    return (Figure("regions", "Regions that the probability depends on", caption, draw),)
