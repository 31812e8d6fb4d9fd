"""The pictures of the report: what segments are like, how large, how far apart, how sure.

A picture is a title, a caption and a function that draws on matplotlib Axes. Colours come from the
report's style: the first is the model's, the others those of baseline and no model.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..contract import Columns, Figure, length
from .metrics import known, outside, silhouette, stability, standard
from .features import INPUTS
from .profiles import deviations

Values: TypeAlias = NDArray[Any]

LOUDEST = 1.5
"""Standard deviations at which a colour is full."""
SEPARATE = 0.5
"""A silhouette above it speaks of clouds of their own (Kaufman and Rousseeuw 1990)."""
SURE = 0.05
"""A p below it is called a difference that chance seldom makes."""


def figures(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[Figure, ...]:
    """Give the pictures of test rows and the predictions of model, baseline and naive.

    `rows`: the features, the traits and the part, of shape (rows,); `predictions`: segment (rows,)
    and resampled (rows, resamples); of the model name and certainty, (rows,) each, too.
    """
    model = predictions["model"]
    return (profiles(rows, model), map_of(rows, model), sureness(model), traits(rows, model))


def words(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[str, ...]:
    """Say how large the segments are, how stable, and whether they differ in unseen traits."""
    model = predictions["model"]
    names, shares = _names(model), _shares(model)
    largest = int(np.argmax(shares))
    everyone = np.ones(length(rows))
    apart = silhouette(rows, model["segment"])(everyone)
    clouds = "clouds apart" if apart > SEPARATE else "regions of one cloud, not separate clouds"
    found = [
        f"{np.sum(shares > 0)} segments; the largest, “{names[largest]}”, holds "
        f"{shares[largest]:.0%} of the households.",
        f"Two clusterings of other samples of households agree to {stability(model)(everyone):.2f} "
        "(1 is the same, 0 is chance); how far apart segments are is "
        f"{apart:.2f} of 1: they are {clouds}.",
    ]
    return (*found, *_outside_words(rows, model))


def _outside_words(rows: Columns, model: Columns) -> tuple[str, ...]:
    """Say what the outside check found, where traits are known."""
    shares = outside(rows, model["segment"])
    if not shares:
        return ()
    share, p = shares["all"]
    each = [name for name in shares if name != "all"]
    best = max(each, key=lambda name: shares[name][0])
    count = int(np.sum(known(rows)))
    verdict = "so seldom by chance" if p < SURE else "by chance often enough"
    return (
        f"On the {count:,} households whose traits are known, which the model never saw, segments "
        f"explain {share:.1%} of how their traits vary. That much comes {verdict} (p = {p:.3f}). "
        f"Of {_plain(best)}, the one of {len(each)} that they tell most about, they explain "
        f"{shares[best][0]:.1%} (p = {shares[best][1]:.3f}).",
    )


def profiles(rows: Columns, model: Columns) -> Figure:
    """Show how far each segment is from the mean, feature by feature."""
    names, shares = _names(model), _shares(model)
    away = deviations(rows, model["segment"], len(shares))
    there = np.flatnonzero(shares > 0).tolist()

    def draw(axes: Any) -> None:
        axes.grid(visible=False)
        for row, number in enumerate(there):
            for column, value in enumerate(away[number]):
                full = min(abs(value) / LOUDEST, 1)
                colour = "C0" if value > 0 else "C1"
                axes.barh(row, 0.94, 0.9, column - 0.47, color=colour, alpha=full * 0.8)
                axes.text(column, row, f"{value:+.1f}", ha="center", va="center")
        labels = [f"{_lines(names[n])}\n{shares[n]:.0%}" for n in there]
        axes.set_yticks(np.arange(len(there)), labels)
        axes.set_xticks(np.arange(len(INPUTS)), [_plain(name) for name in INPUTS], rotation=35)
        axes.tick_params(axis="x", labelrotation=35)
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("right")
        axes.set(xlim=(-0.5, len(INPUTS) - 0.5), ylim=(len(there) - 0.5, -0.5))

    caption = (
        "Each row is a segment with its share of the households; each number says by how many "
        "standard deviations its mean lies above (+) or below (-) that of all households."
    )
    return Figure("profiles", "What the segments are like", caption, draw)


def map_of(rows: Columns, model: Columns) -> Figure:
    """Show the households in the plane in which they vary most, and where each segment lies."""
    placed = standard(rows)
    _, _, axes_of = np.linalg.svd(placed - placed.mean(axis=0), full_matrices=False)
    plane = placed @ axes_of[:2].T
    names, segment = _names(model), model["segment"]

    def draw(axes: Any) -> None:
        marks = "os^"  # three colours, then the same with a hole
        for number in np.unique(segment):
            mine = segment == number
            style = {"marker": marks[number % 3], "s": 12, "linewidths": 0.8, "alpha": 0.6}
            colour = f"C{number % 3}"
            inside = "none" if number // 3 % 2 else colour
            axes.scatter(
                *plane[mine].T, color=inside, edgecolors=colour, label=names[number], **style
            )
        axes.set(xlabel=_axis(axes_of[0]), ylabel=_axis(axes_of[1]))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)

    caption = (
        "Each point is a household, near others that shop alike. The axes are the two directions "
        "in which households differ most; each is named after the features that weigh most in it."
    )
    return Figure("map", "Where the segments lie", caption, draw)


def sureness(model: Columns) -> Figure:
    """Show how many households are sure of their segment."""
    sure = np.sort(model["certainty"])[::-1]

    def draw(axes: Any) -> None:
        axes.plot(np.linspace(0, 1, len(sure)), sure, color="C0")
        axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="share of households")
        axes.set_ylabel("certainty")
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.yaxis.set_major_formatter("{x:.0%}")

    caption = (
        "Certainty is the share of clusterings, each made of another sample of households, that "
        "put a household where the model puts it. Where the line falls, a household lies between "
        "segments."
    )
    return Figure("certainty", "How sure a household's segment is", caption, draw)


def traits(rows: Columns, model: Columns) -> Figure:
    """Show how much of each trait, which the model never saw, the segments explain."""
    found = outside(rows, model["segment"])

    def draw(axes: Any) -> None:
        place = np.arange(len(found))
        shares = [share for share, _ in found.values()]
        axes.barh(place, shares, 0.55, color="C0")
        for row, (share, p) in enumerate(found.values()):
            axes.text(share, row, f"  p = {p:.3f}", va="center")
        named = ["all, mean" if name == "all" else _plain(name) for name in found]
        axes.set_yticks(place, named)
        axes.set_xlim(0, max([*shares, 0.01]) * 1.3)
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.set_xlabel("share of the variance of ranks")
        axes.xaxis.set_major_formatter("{x:.1%}")

    caption = (
        "Of the households whose traits are known. p is how often segments dealt out at random "
        "explain as much: below 0.05, chance alone seldom does."
    )
    return Figure("traits", "Whether segments differ in what the model never saw", caption, draw)


def _names(model: Columns) -> dict[int, str]:
    """Give the names of the segments that there are households of."""
    numbers, first = np.unique(model["segment"], return_index=True)
    return dict(zip(numbers.tolist(), model["name"][first].tolist(), strict=True))


def _shares(model: Columns) -> Values:
    """Give the share of households in each segment."""
    counts = np.bincount(model["segment"], minlength=model["distances"].shape[1])
    return np.asarray(counts / counts.sum())


def _axis(weights: Values) -> str:
    """Name an axis after its two heaviest features."""
    first, second = np.argsort(-np.abs(weights))[:2]
    return " and ".join(
        f"{'more' if weights[place] > 0 else 'less'} {_plain(INPUTS[place])}"
        for place in (first, second)
    )


def _plain(name: str) -> str:
    return name.removesuffix("_share").replace("_", " ")


def _lines(text: str) -> str:
    """Break a name into its parts, one a line."""
    return text.replace(", ", ",\n")
