"""Figures and sentences of the report: what segments are like, how far apart, how certain."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns
from ..contract.about import Figure
from ..plot_parts import label_axes
from .features import INPUTS
from .metrics import SILHOUETTE, STABILITY, known, outside, standard
from .profiles import deviations

FULL_COLOUR = 1.5
"""Standard deviations at which a colour is full."""
SEPARATE = 0.5
"""A silhouette above it indicates separate clouds (Kaufman and Rousseeuw 1990)."""
SIGNIFICANT = 0.05


def summary(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[str, ...]:
    """Return sentences about size and stability of the segments, and about the outside check."""
    model = predictions["model"]
    numbers, counts = np.unique(model["segment"], return_counts=True)
    largest = _names(model)[numbers[np.argmax(counts)]]
    apart = SILHOUETTE.score(rows, model)
    shape = "separate clouds" if apart > SEPARATE else "regions of one cloud, not separate clouds"
    sentences = (
        f"{len(numbers)} segments; the largest, “{largest}”, holds "
        f"{counts.max() / counts.sum():.0%} of the households.",
        "Clusterings of other samples of households agree with these segments to "
        f"{STABILITY.score(rows, model):.2f} (1: the same, 0: chance). Their silhouette is "
        f"{apart:.2f} of 1: they are {shape}.",
    )
    shares = outside(rows, model["segment"])
    if not shares:
        return sentences
    share, p = shares.pop("all")
    best = max(shares, key=lambda name: shares[name][0])
    verdict = "That is more than" if p < SIGNIFICANT else "That is no evidence against"
    corrected = min(1.0, len(shares) * shares[best][1])
    return (
        *sentences,
        f"Segments explain {share:.1%} of how the traits of the {int(np.sum(known(rows))):,} "
        f"households with known traits vary, which the model never saw. {verdict} chance "
        f"(p = {p:.3f}). They explain most of {_plain(best)}, {shares[best][0]:.1%} (p = "
        f"{corrected:.3f}, corrected for the choice among {len(shares)} traits).",
    )


def figures(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[Figure, ...]:
    """Return the figures of test rows and the predictions of the model."""
    model = predictions["model"]
    return profiles(rows, model), households_map(rows, model), certainty(model), traits(rows, model)


def profiles(rows: Columns, model: Columns) -> Figure:
    """Draw how far each segment is from the mean, feature by feature."""
    numbers, counts = np.unique(model["segment"], return_counts=True)
    distances = deviations(rows, model["segment"], int(numbers.max()) + 1)[numbers]
    names = _names(model)
    shares = counts / counts.sum()

    def draw(axes: Any) -> None:
        axes.grid(visible=False)
        for (row, column), value in np.ndenumerate(distances):
            strength = min(abs(value) / FULL_COLOUR, 1) * 0.8
            colour = "C0" if value > 0 else "C1"
            axes.barh(row, 0.94, 0.9, column - 0.47, color=colour, alpha=strength)
            axes.text(column, row, f"{round(value, 1) + 0:+.1f}", ha="center", va="center")
        labels = [
            names[number].replace(", ", ",\n") + f"\n{share:.0%}"
            for number, share in zip(numbers, shares, strict=True)
        ]
        axes.set_yticks(np.arange(len(labels)), labels)
        features = [_plain(name) for name in INPUTS]
        axes.set_xticks(np.arange(len(INPUTS)), features, rotation=35, ha="right")
        axes.set(xlim=(-0.5, len(INPUTS) - 0.5), ylim=(len(labels) - 0.5, -0.5))

    caption = (
        "Each row is a segment with its share of the households; each number is the distance of "
        "its mean from that of all households, in standard deviations."
    )
    return Figure("profiles", "Profiles of the segments", caption, draw)


def households_map(rows: Columns, model: Columns) -> Figure:
    """Draw the households in the plane in which they vary most."""
    values = standard(rows)
    directions = np.linalg.svd(values, full_matrices=False)[2][:2]
    plane = values @ directions.T
    names = _names(model)
    segment = model["segment"]

    def draw(axes: Any) -> None:
        for number in np.unique(segment):
            colour = f"C{number % 3}"
            axes.scatter(
                *plane[segment == number].T,
                color="none" if number // 3 % 2 else colour,  # three colours, then hollow marks
                edgecolors=colour,
                label=names[number],
                marker="os^"[number % 3],
                s=12,
                linewidths=0.8,
                alpha=0.6,
            )
        xlabel, ylabel = map(_direction, directions)
        label_axes(axes, xlabel, ylabel, columns=2, gap=0.2)

    caption = (
        "Each point is a household, near others that shop alike. The axes are the two directions "
        "in which households differ most, named after the features with the largest weights."
    )
    return Figure("map", "Map of the households", caption, draw)


def certainty(model: Columns) -> Figure:
    """Draw how many households have a certain segment."""
    descending = np.sort(model["certainty"])[::-1]

    def draw(axes: Any) -> None:
        axes.plot(np.linspace(0, 1, len(descending)), descending, color="C0")
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="share of households", ylabel="certainty")
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.yaxis.set_major_formatter("{x:.0%}")

    caption = (
        "Certainty is the share of clusterings, each of another sample of households, that put a "
        "household in the same segment as the model."
    )
    return Figure("certainty", "Certainty of the segments", caption, draw)


def traits(rows: Columns, model: Columns) -> Figure:
    """Draw how much of each trait, which the model never saw, the segments explain."""
    explained = outside(rows, model["segment"])

    def draw(axes: Any) -> None:
        shares = [share for share, _ in explained.values()]
        axes.barh(np.arange(len(explained)), shares, 0.55, color="C0")
        for row, (share, p) in enumerate(explained.values()):
            axes.text(share, row, f"  p = {p:.3f}", va="center")
        labels = ["all, mean" if name == "all" else _plain(name) for name in explained]
        axes.set_yticks(np.arange(len(explained)), labels)
        axes.set_xlim(0, max([*shares, 0.01]) * 1.3)
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.set_xlabel("share of the variance of ranks")
        axes.xaxis.set_major_formatter("{x:.1%}")

    caption = (
        "For households whose traits are known. p is how often random segments explain as much: "
        f"below {SIGNIFICANT}, chance alone rarely does. It is of each line alone, not corrected "
        "for the number of traits."
    )
    return Figure("traits", "Segments and traits that the model never saw", caption, draw)


def _names(model: Columns) -> dict[int, str]:
    """Return the names of the segments by number."""
    numbers, first = np.unique(model["segment"], return_index=True)
    return dict(zip(numbers.tolist(), model["name"][first].tolist(), strict=True))


def _direction(weights: NDArray[Any]) -> str:
    """Name a direction after the two features with the largest weights."""
    return " and ".join(
        f"{'more' if weights[feature] > 0 else 'less'} {_plain(INPUTS[feature])}"
        for feature in np.argsort(-np.abs(weights))[:2]
    )


def _plain(name: str) -> str:
    return name.removesuffix("_share").replace("_", " ")
