"""Sentences and figures of the report: what is found, for whom, and by whom."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..columns import Columns
from ..contract.about import Figure
from ..plot_parts import CONTENDERS, draw_means
from .metrics import TOP_K, hits, recalls, weeks


def summary(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[str, ...]:
    """Return sentences about repeated purchases, and the weeks in which the model is best."""
    pairs = zip(rows["again"], rows["bought"], strict=True)
    repeated = [len(again) / len(bought) for again, bought in pairs]
    gain = recalls(rows, predictions["model"]) - recalls(rows, predictions["baseline"])
    week = weeks(rows)
    gains = [float(np.mean(gain[week == number])) for number in np.unique(week)]
    return (
        f"{np.mean(repeated):.0%} of a basket, on average, was bought in the year before; a list "
        "of what the household buys most often is therefore hard to beat.",
        f"The model is better than it in {np.sum(np.array(gains) > 0)} of {len(gains)} weeks, by "
        f"{np.mean(gains):.3f} ± {np.std(gains):.3f} (the lowest {min(gains):+.3f}).",
    )


def figures(rows: Columns, predictions: Mapping[str, Columns]) -> tuple[Figure, ...]:
    """Return recall by week, and by the length of the list."""
    return by_week(rows, predictions), by_rank(rows, predictions)


def by_week(rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Draw the recall of each week of the test."""
    numbers, week = np.unique(weeks(rows), return_inverse=True)
    recall = {name: recalls(rows, predictions[name]) for name in CONTENDERS}

    def draw(axes: Any) -> None:
        positions = np.arange(len(numbers))
        draw_means(axes, positions, week, recall)
        axes.set_xticks(positions, positions + 1)
        axes.set(ylim=(0, None), xlabel="week of the test", ylabel=f"recall@{TOP_K}")
        axes.legend()

    caption = "The mean recall over all baskets, in each week of the test."
    return Figure("weeks", "Recall week by week", caption, draw)


def by_rank(rows: Columns, predictions: Mapping[str, Columns]) -> Figure:
    """Draw the recall by the length of the list."""
    size = np.array([len(bought) for bought in rows["bought"]])

    def draw(axes: Any) -> None:
        for name, text in CONTENDERS.items():
            recall = np.cumsum(hits(rows, predictions[name]), axis=1) / size[:, None]
            axes.plot(np.arange(1, recall.shape[1] + 1), recall.mean(0), label=text)
        axes.set(ylim=(0, None), xlabel="items recommended", ylabel="share of the basket found")
        axes.set_xticks((1, 5, 10, 15, TOP_K))
        axes.legend()

    caption = "How much of the next basket is found when fewer items are recommended."
    return Figure("rank", "Recall by length of the list", caption, draw)
