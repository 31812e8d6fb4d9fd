"""Quality of the segments, and how long they last: writes segments_quality.md beside this file.

Three seeds, on which nothing was chosen. A seed draws the households that judge, starts k-means and
draws the resamples that stability is measured with.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import report
from numpy.typing import NDArray
from rich.progress import track
from scipy.stats import chi2_contingency
from scipy.stats.contingency import association, crosstab

from project_package.contract import Candidate, Columns, Fold, Hyperparameters, Outcome, take
from project_package.segments import data
from project_package.segments.features import HOUSEHOLD, INPUTS, TRAITS
from project_package.segments.metrics import METRICS, changed, explained, naive, outside
from project_package.segments.models import CANDIDATES

LIBRARIES = ("numpy", "polars", "duckdb", "scikit-learn", "scipy")
SEEDS = (1, 2, 3)
"""Features and settings were chosen with seed 7."""
JUDGES = 0.3
CELLS, KMEANS = CANDIDATES
CHOSEN = KMEANS.start
COUNTS, AXES, WEEKS = range(2, 9), range(2, 5), (4, 8, 16)
SURE = 0.95
TOLD = ("spending", "basket_size", "discount_share", "store_brand_share", "fresh_share")

Numbers = NDArray[Any]
Answer = Callable[[Fold, int], Outcome]

PROTOCOL = f"""\
Each of three seeds draws {JUDGES:.0%} of the households to judge on; the others are fitted to.
Figures are means of the seeds, ± is the standard deviation over them. Silhouette, stability and
their product, the quality, are the program's own: the silhouette is between eight standardised
features whatever a model looks at, stability is the adjusted Rand index of a clustering with those
of 20 resamples. Nothing was chosen with these seeds, but features and settings were on these
households."""
MODELS = """\
Noise is k-means on features that are shuffled, each by itself: what is found where there is
nothing. Cells are recency, frequency and spending, each above or below its median; thirds are of
spending alone. Cuts at quantiles hardly move with the sample: they are stable whatever they cut."""
COUNT = """\
By the numbers two and three segments are clearly better than four: allowed to, the search would
choose two. It starts at four, by a decision of people, for what segments tell. That is in the right
half of the table, for three axes: the share of the variance of ranks that they explain. Two
segments tell much from little, and nothing of what is bought. Three tell that too. Four add the
size of a basket, and below it shows that income goes with it. Who needs clear and lasting segments
more than that should let the search start at three."""
OUTSIDE = """\
Fitted to all households; asked about those whose traits are known. Explained is the share of the
variance of ranks (eta squared), p that of a permutation test with 999 draws, the largest of the
seeds. Beside it what does not know that classes have an order: Cramér's V, and the largest p of its
chi squared test. Below, all traits together and one of them for other clusterings."""
TIME = f"""\
Fitted to the households as they were {WEEKS[-1]} weeks before the end, and asked again later about
those that still have a segment. *Moved* are those that the same model puts elsewhere, since they
shop otherwise; *sure* are those whose first answer had a certainty of {SURE} or more. *Refitted*
compares the model with one fitted at the later time, on the same households at that time: what a
retraining alone would change."""


def kmeans(settings: Hyperparameters = CHOSEN) -> Answer:
    """Return k-means with some settings."""
    return lambda fold, seed: answer(KMEANS, settings, fold, seed)


def answer(candidate: Candidate, settings: Hyperparameters, fold: Fold, seed: int) -> Outcome:
    """Fit on a fold and answer its other rows."""
    model = candidate.fit(fold.train, settings, seed)
    return Outcome(fold.valid, model.predict(fold.valid))


def noise(rows: Columns) -> Columns:
    """Shuffle every feature by itself."""
    random = np.random.default_rng(0)
    return {**rows, **{name: random.permutation(rows[name]) for name in INPUTS}}


ENTRIES: Mapping[str, Answer] = {
    "k-means as chosen": kmeans(),
    "cells": lambda fold, seed: answer(CELLS, {}, fold, seed),
    "thirds of spending": lambda fold, _: Outcome(fold.valid, naive(fold.valid)),
}


def cut(rows: Columns, seed: int) -> Fold:
    """Draw the households that judge."""
    judge = np.random.default_rng(seed).random(len(rows[HOUSEHOLD])) < JUDGES
    return Fold(take(rows, ~judge), take(rows, judge))


def everyone(entry: Answer, rows: Columns) -> list[Columns]:
    """Fit to all households and ask about all, once for each seed."""
    return [entry(Fold(rows, rows), seed).predictions for seed in SEEDS]


def judged(entry: Answer, rows: Columns) -> list[Outcome]:
    """Answer once for each seed."""
    return [entry(cut(rows, seed), seed) for seed in SEEDS]


def scores(found: Sequence[Outcome]) -> dict[str, Numbers]:
    """Return each metric, one number a seed."""
    return {m.name: np.array([m.score(o.rows, o.predictions) for o in found]) for m in METRICS}


def spread(values: Numbers) -> str:
    """Return mean and standard deviation."""
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"


def model_table(rows: Columns) -> str:
    """Show k-means beside what is simpler, and noise."""
    found = {name: judged(entry, rows) for name, entry in ENTRIES.items()}
    found["k-means on noise"] = judged(kmeans(), noise(rows))
    lines = ([name, *map(spread, scores(each).values())] for name, each in found.items())
    return report.table(["on households that judge", *(m.name for m in METRICS)], lines)


def count_table(rows: Columns) -> str:
    """Show how many segments, along how many axes; and what they tell with those of the choice."""
    lines = []
    for count in track(COUNTS, "number of segments"):
        runs = {axes: judged(kmeans({"segments": count, "axes": axes}), rows) for axes in AXES}
        found = {axes: scores(run) for axes, run in runs.items()}
        run, chosen = runs[int(CHOSEN["axes"])], found[int(CHOSEN["axes"])]
        answers = [(outcome.rows, outcome.predictions["segment"]) for outcome in run]
        told = [[explained(seen[name], segment) for name in TOLD] for seen, segment in answers]
        cells = [found[axes]["quality"] for axes in AXES]
        cells += [chosen[name] for name in ("silhouette", "stability")]
        shares = (f"{share:.0%}" for share in np.mean(told, axis=0))
        lines.append([str(count), *(f"{cell.mean():.3f}" for cell in cells), *shares])
    quality = [f"quality, {axes} axes" for axes in AXES]
    names = [name.removesuffix("_share").replace("_", " ") for name in TOLD]
    return report.table(["segments", *quality, "silhouette", "stability", *names], lines)


def trait_table(rows: Columns) -> str:
    """Show trait by trait what the segments tell of it, with and without the order of classes."""
    known = np.isfinite(rows[TRAITS[0]])
    segments = [given["segment"] for given in everyone(kmeans(), rows)]
    checks = [outside(rows, segment) for segment in segments]
    lines = []
    for name in TRAITS:
        share, p = (np.array([check[name][i] for check in checks]) for i in (0, 1))
        tables = [crosstab(rows[name][known], segment[known]).count for segment in segments]
        strength = np.array([association(table, method="cramer") for table in tables])
        chance = max(float(chi2_contingency(table).pvalue) for table in tables)
        line = [spread(share), f"{p.max():.3f}", spread(strength), f"{chance:.1g}"]
        lines.append([name.replace("_", " "), *line])
    return report.table([f"{known.sum()} households", "explained", "p", "V", "p of V"], lines)


def rival_table(rows: Columns) -> str:
    """Show what other clusterings tell of the traits."""
    others = {f"{n} segments": kmeans({**CHOSEN, "segments": n}) for n in (2, 3, 4, 6)}
    simple = {name: ENTRIES[name] for name in ("cells", "thirds of spending")}
    lines = []
    for name, entry in {**others, **simple}.items():
        checks = [outside(rows, given["segment"]) for given in everyone(entry, rows)]
        each = [np.array([check[trait] for check in checks]) for trait in ("all", "income")]
        cells = (f"{found[:, 0].mean():.1%} (p {found[:, 1].max():.3f})" for found in each)
        lines.append([name, *cells])
    return report.table(["explained", "all traits, mean", "income"], lines)


def moved(rows: Columns) -> str:
    """Show how many households another seed, other households or another number would move."""
    seeds = everyone(kmeans(), rows)
    samples = [kmeans()(Fold(cut(rows, seed).train, rows), seed).predictions for seed in SEEDS]
    more = everyone(kmeans({**CHOSEN, "segments": 6}), rows)
    pairs: Mapping[str, list[tuple[Columns, Columns]]] = {
        "another seed, the same households": list(combinations(seeds, 2)),
        f"fitted to other {1 - JUDGES:.0%} of the households": list(combinations(samples, 2)),
        "6 segments in the place of 4": list(zip(seeds, more, strict=True)),
    }
    lines = []
    for name, each in pairs.items():
        shares = np.array([changed(*pair).mean() for pair in each])
        lines.append([name, f"{shares.mean():.1%}", f"{shares.max():.1%}"])
    return report.table(["what changes", "moved, mean", "most"], lines)


def later(baskets: pl.DataFrame) -> str:
    """Show how many households have moved some weeks after the fit."""
    start = data.midnight_after(baskets) - timedelta(weeks=WEEKS[-1])
    first = data.columns(data.households(baskets, start))
    lines = []
    for weeks in WEEKS:
        now = data.columns(data.households(baskets, start + timedelta(weeks=weeks)))
        before, after = (
            take(one, np.isin(one[HOUSEHOLD], other[HOUSEHOLD]))
            for one, other in ((first, now), (now, first))
        )
        figures = []
        for seed in SEEDS:
            model, new = (KMEANS.fit(rows, CHOSEN, seed) for rows in (first, now))
            old, then = (model.predict(rows) for rows in (before, after))
            sure = np.mean(old["resampled"] == old["segment"][:, None], axis=1) >= SURE
            other = old["segment"] != then["segment"]
            refitted = changed(model.predict(now), new.predict(now))
            figures.append([other.mean(), other[sure].mean(), sure.mean(), refitted.mean()])
        shares = (f"{share:.1%}" for share in np.mean(figures, axis=0))
        lines.append([str(weeks), f"{len(before[HOUSEHOLD]):,}", *shares])
    header = ["weeks later", "households", "moved", "of the sure", "sure", "refitted"]
    return report.table(header, lines)


def main() -> None:
    """Measure everything and write the report."""
    with TemporaryDirectory() as folder:
        data.load_data(data.SegmentsParams(name="benchmark"), Path(folder), lambda _: None)
        baskets = pl.read_parquet(Path(folder) / data.ROWS)
    rows = data.columns(data.households(baskets, data.midnight_after(baskets)))
    parts = [
        "# Segments: quality, and how long they last",
        report.measured_on(LIBRARIES, "make bench"),
        f"{len(rows[HOUSEHOLD]):,} households of the published data. {PROTOCOL}",
        "## Beside what is simpler",
        model_table(rows),
        MODELS,
        "## How many segments",
        count_table(rows),
        COUNT,
        "## In what the model never saw",
        trait_table(rows),
        OUTSIDE,
        rival_table(rows),
        "## Who moves when the clustering is made anew",
        moved(rows),
        "## Who moves with time",
        later(baskets),
        TIME,
    ]
    report.write(Path(__file__).with_suffix(".md"), parts)


if __name__ == "__main__":
    main()
