"""What matters to the loaded model, and how its answers depend on it."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from ..columns import Columns, length, take
from ..contract.about import Figure
from ..contract.training import Metric
from .figures import SLANTED, shortened
from .metrics import Values
from .problem import Problem

Predict: TypeAlias = Callable[[Columns], Columns]
TOP_FEATURES = 12
SAMPLE = 2_000  # test rows, in which the values of a feature are shuffled
REPEATS = 3
PANELS = 6  # features of which the dependence is drawn
MOST_VALUES = 6  # of a category
SHARES = np.linspace(0.05, 0.95, 13)  # the quantiles of a number


def importance(
    problem: Problem, goal: Metric, rows: Columns, predict: Predict
) -> tuple[Figure, ...]:
    """Draw what the score loses on a sample when a feature is shuffled (Breiman 2001)."""
    random = np.random.default_rng(0)
    sample = take(rows, np.sort(random.permutation(length(rows))[:SAMPLE]))
    score = goal.score(sample, predict(sample))
    lost = {}
    for name in problem.features:
        versions = [{**sample, name: random.permutation(sample[name])} for _ in range(REPEATS)]
        shuffled = [goal.score(version, predict(version)) for version in versions]
        lost[name] = float(np.mean([goal.gain(score, worse) for worse in shuffled]))
    top = sorted(problem.features, key=lambda name: lost[name])[-TOP_FEATURES:]

    def draw(axes: Any) -> None:
        axes.barh(range(len(top)), [lost[name] for name in top], height=0.6)
        axes.set_yticks(range(len(top)), [shortened(name) for name in top])
        axes.set(xlabel=f"by how much this gets worse: {goal.label}")

    caption = (
        "By how much the score gets worse when the values of one feature are shuffled among "
        f"{length(sample):,} test rows, {REPEATS} times. Similar features share the effect."
    )
    ranking = Figure("importance", "Which features matter", caption, draw)
    strongest = [n for n in reversed(top) if lost[n] > 0 and n not in problem.texts][:PANELS]
    return (ranking, dependence(problem, sample, predict, strongest)) if strongest else (ranking,)


def dependence(problem: Problem, rows: Columns, predict: Predict, names: list[str]) -> Figure:
    """Draw the mean answer when all rows get the same value of a feature (Friedman 2001).

    One call of `predict` for each feature.
    """
    answer = problem.target
    if problem.classes:
        shown = 1 if problem.kind == "binary" else np.bincount(rows[problem.target]).argmax()
        answer = f"probability of {problem.target} = {problem.classes[shown]}"
    curves = {}
    for name in names:
        values = drawn_values(rows[name])
        versions = take(rows, np.tile(np.arange(length(rows)), len(values)))
        found = predict({**versions, name: np.repeat(values, length(rows))})
        answers = found["probabilities"][:, shown] if problem.classes else found["prediction"]
        curves[name] = values, answers.reshape(len(values), -1).mean(axis=1)
    lines = -(-len(curves) // 3)

    def draw(axes: Any) -> None:
        axes.set_axis_off()  # its panels share its scale
        axes.figure.set_size_inches(6.6, 2.1 * lines + 0.3)
        axes.figure.supylabel(shortened(f"mean {answer}", 20 + 20 * lines), fontsize="medium")
        for number, (name, curve) in enumerate(curves.items()):
            panel = axes.figure.add_subplot(lines, 3, number + 1, sharey=axes)
            panel.set_title(shortened(name, 20), fontsize="medium")
            panel.tick_params(labelleft=number % 3 == 0)
            draw_curve(panel, *curve)

    caption = (
        f"The mean {answer} when {length(rows):,} test rows all get one value of a feature: of a "
        f"category the {MOST_VALUES} most frequent, of a number, or of a date in days, quantiles "
        "from 5% to 95%. Where features depend on each other, such rows may not exist."
    )
    return Figure("dependence", "How answers depend on features", caption, draw)


def drawn_values(column: Values) -> Values:
    """Return the most frequent values of a category, or quantiles of a number."""
    known = column[column == column]  # noqa: PLR0124  NaN is missing
    found, counts = np.unique(known, return_counts=True)
    if column.dtype == object:
        return found[np.argsort(-counts, kind="stable")[:MOST_VALUES]]
    skewed = counts.max() > 0.8 * len(known)  # then, quantiles of the different values
    return np.unique(np.quantile(found if skewed else known, SHARES, method="inverted_cdf"))


def draw_curve(axes: Any, values: Values, means: Values) -> None:
    """Draw a line over numbers, or points over the names of categories."""
    if values.dtype == object:
        axes.plot(means, "o")
        names = [shortened(name, 12) or "missing" for name in values]
        axes.set_xticks(range(len(names)), names, **SLANTED)
        axes.margins(x=0.1)
    else:
        axes.plot(values, means, marker=".")
        axes.locator_params(axis="x", nbins=4)
