"""Quality and stability of the segments: writes segments_quality.md beside this file.

There are three seeds, which were not used for choices. A seed draws the test households, starts
k-means, and draws the resamples that stability is measured with.
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

from project_package.columns import Columns, take
from project_package.contract.training import Candidate, Fold, Hyperparameters, Outcome
from project_package.segments import dataset
from project_package.segments.features import HOUSEHOLD, INPUTS, TRAITS
from project_package.segments.metrics import METRICS, explained, naive, outside, segments_differ
from project_package.segments.models import CANDIDATES
from project_package.segments.params import SegmentsParams

LIBRARIES = ("numpy", "polars", "duckdb", "scikit-learn", "scipy")
SEEDS = (1, 2, 3)
"""Features and settings were chosen with seed 7."""
TEST_SHARE, SURE = 0.3, 0.95
CELLS, KMEANS = CANDIDATES
CHOSEN = KMEANS.start
COUNTS, AXES, WEEKS = range(2, 9), range(2, 5), (4, 8, 16)
DESCRIBED = ("spending", "basket_size", "discount_share", "store_brand_share", "fresh_share")

Numbers = NDArray[Any]
Answer = Callable[[Fold, int], Outcome]

PROTOCOL = f"""\
Each of three seeds draws {TEST_SHARE:.0%} of the households as test; models are fitted on the
others. Figures are means over the seeds, ± is the standard deviation over them. Silhouette,
stability and their product, the quality, are the metrics of the program: the silhouette uses eight
standardised features, whatever features a model uses; stability is the adjusted Rand index of a
clustering with those of 20 resamples. These seeds were not used for choices, but features and
settings were chosen on the same households."""
MODELS = """\
Noise is k-means after the values of every feature were shuffled, so that there is nothing to find.
Cells are recency, frequency and spending, each above or below its median; thirds are thirds of
spending. Borders at quantiles hardly change with the sample, so they are stable on any data."""
COUNT = """\
Two and three segments have clearly better scores than four, so a free search would choose two. The
search starts at four because people decided so, for what segments describe. The right half of the
table shows this for three axes: the share of the variance of ranks that segments explain. Two
segments separate large from small spending, and explain nothing about what is bought. Three explain
that too. Four add the size of a basket, which is correlated with income, as the next section shows.
If you need separate and stable segments more than that, let the search start at three."""
OUTSIDE = """\
Models are fitted on all households, and figures are of those with known traits. *Explained* is the
share of the variance of ranks (eta squared), *p* the largest p-value of the seeds in a permutation
test with 999 draws. *V* is Cramér's V, which ignores the order of classes, with the largest p-value
of its chi-squared test. The next table shows all traits together, and income, for other
clusterings."""
TIME = f"""\
Models are fitted on the households as they were {WEEKS[-1]} weeks before the end, and predict again
later for those that still have a segment. *Moved* is the share of households that the same model
assigns to another segment, because their purchases changed. *Sure* is the share whose first answer
had a certainty of {SURE} or more. *Refitted* compares the model with one that is fitted later, on
the same households at the later time: this is the effect of retraining alone."""


def kmeans(settings: Hyperparameters = CHOSEN) -> Answer:
    """Return k-means with these settings."""
    return lambda fold, seed: answer(KMEANS, settings, fold, seed)


def answer(candidate: Candidate, settings: Hyperparameters, fold: Fold, seed: int) -> Outcome:
    """Fit on a fold and predict its other rows."""
    model = candidate.fit(fold.train, settings, seed)
    return Outcome(fold.valid, model.predict(fold.valid))


def noise(rows: Columns) -> Columns:
    """Shuffle the values of every feature."""
    random = np.random.default_rng(0)
    return {**rows, **{name: random.permutation(rows[name]) for name in INPUTS}}


ENTRIES: Mapping[str, Answer] = {
    "k-means as chosen": kmeans(),
    "cells": lambda fold, seed: answer(CELLS, {}, fold, seed),
    "thirds of spending": lambda fold, _: Outcome(fold.valid, naive(fold.valid)),
}


def cut(rows: Columns, seed: int) -> Fold:
    """Draw the test households."""
    test = np.random.default_rng(seed).random(len(rows[HOUSEHOLD])) < TEST_SHARE
    return Fold(take(rows, ~test), take(rows, test))


def everyone(entry: Answer, rows: Columns) -> list[Columns]:
    """Fit on all households and predict all of them, once for each seed."""
    return [entry(Fold(rows, rows), seed).predictions for seed in SEEDS]


def tested(entry: Answer, rows: Columns) -> list[Outcome]:
    """Fit and predict the test households, once for each seed."""
    return [entry(cut(rows, seed), seed) for seed in SEEDS]


def scores(found: Sequence[Outcome]) -> dict[str, Numbers]:
    """Return each metric, one number per seed."""
    return {m.name: np.array([m.score(o.rows, o.predictions) for o in found]) for m in METRICS}


def model_table(rows: Columns) -> str:
    """Show k-means, simpler models and noise."""
    found = {name: tested(entry, rows) for name, entry in ENTRIES.items()}
    found["k-means on noise"] = tested(kmeans(), noise(rows))
    lines = ([name, *map(report.spread, scores(each).values())] for name, each in found.items())
    return report.table(["on test households", *(m.name for m in METRICS)], lines)


def count_table(rows: Columns) -> str:
    """Show scores by the number of segments and axes, and what the segments explain."""
    lines = []
    for count in track(COUNTS, "number of segments"):
        runs = {axes: tested(kmeans({"segments": count, "axes": axes}), rows) for axes in AXES}
        found = {axes: scores(run) for axes, run in runs.items()}
        run, chosen = runs[int(CHOSEN["axes"])], found[int(CHOSEN["axes"])]
        answers = [(outcome.rows, outcome.predictions["segment"]) for outcome in run]
        parts = [[explained(seen[n], segment) for n in DESCRIBED] for seen, segment in answers]
        cells = [found[axes]["quality"] for axes in AXES]
        cells += [chosen[name] for name in ("silhouette", "stability")]
        shares = (f"{share:.0%}" for share in np.mean(parts, axis=0))
        lines.append([str(count), *(f"{cell.mean():.3f}" for cell in cells), *shares])
    quality = [f"quality, {axes} axes" for axes in AXES]
    names = [name.removesuffix("_share").replace("_", " ") for name in DESCRIBED]
    return report.table(["segments", *quality, "silhouette", "stability", *names], lines)


def trait_table(rows: Columns) -> str:
    """Show how much of each trait segments explain, with and without the order of classes."""
    known = np.isfinite(rows[TRAITS[0]])
    segments = [given["segment"] for given in everyone(kmeans(), rows)]
    checks = [outside(rows, segment) for segment in segments]
    lines = []
    for name in TRAITS:
        share, p = (np.array([check[name][i] for check in checks]) for i in (0, 1))
        tables = [crosstab(rows[name][known], segment[known]).count for segment in segments]
        strength = np.array([association(table, method="cramer") for table in tables])
        chance = max(float(chi2_contingency(table).pvalue) for table in tables)
        line = [report.spread(share), f"{p.max():.3f}", report.spread(strength), f"{chance:.1g}"]
        lines.append([name.replace("_", " "), *line])
    return report.table([f"{known.sum()} households", "explained", "p", "V", "p of V"], lines)


def rival_table(rows: Columns) -> str:
    """Show how much of the traits other clusterings explain."""
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
    """Show how many households move with another seed, other households or another number."""
    seeds = everyone(kmeans(), rows)
    samples = [kmeans()(Fold(cut(rows, seed).train, rows), seed).predictions for seed in SEEDS]
    more = everyone(kmeans({**CHOSEN, "segments": 6}), rows)
    pairs: Mapping[str, list[tuple[Columns, Columns]]] = {
        "another seed, the same households": list(combinations(seeds, 2)),
        f"fitted on other {1 - TEST_SHARE:.0%} of the households": list(combinations(samples, 2)),
        "6 segments instead of 4": list(zip(seeds, more, strict=True)),
    }
    lines = []
    for name, each in pairs.items():
        shares = np.array([segments_differ(*pair).mean() for pair in each])
        lines.append([name, f"{shares.mean():.1%}", f"{shares.max():.1%}"])
    return report.table(["what changes", "moved, mean", "moved, most"], lines)


def later(baskets: pl.DataFrame) -> str:
    """Show how many households have moved some weeks after the fit."""
    start = dataset.midnight_after(baskets) - timedelta(weeks=WEEKS[-1])
    first = dataset.columns(dataset.households(baskets, start))
    lines = []
    for weeks in WEEKS:
        now = dataset.columns(dataset.households(baskets, start + timedelta(weeks=weeks)))
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
            refitted = segments_differ(model.predict(now), new.predict(now))
            figures.append([other.mean(), other[sure].mean(), sure.mean(), refitted.mean()])
        shares = (f"{share:.1%}" for share in np.mean(figures, axis=0))
        lines.append([str(weeks), f"{len(before[HOUSEHOLD]):,}", *shares])
    header = ["weeks later", "households", "moved", "of the sure", "sure", "refitted"]
    return report.table(header, lines)


def main() -> None:
    """Measure everything and write the report."""
    with TemporaryDirectory() as folder:
        dataset.load_data(SegmentsParams(name="benchmark"), Path(folder), lambda _: None)
        baskets = pl.read_parquet(Path(folder) / dataset.ROWS)
    rows = dataset.columns(dataset.households(baskets, dataset.midnight_after(baskets)))
    parts = [
        "# Segments: quality and stability",
        report.measured_on(LIBRARIES, "make bench"),
        f"{len(rows[HOUSEHOLD]):,} households of the published data. {PROTOCOL}",
        "## Compared with simpler models",
        model_table(rows),
        MODELS,
        "## How many segments",
        count_table(rows),
        COUNT,
        "## Traits that the model never saw",
        trait_table(rows),
        OUTSIDE,
        rival_table(rows),
        "## Who moves when the clustering is repeated",
        moved(rows),
        "## Who moves with time",
        later(baskets),
        TIME,
    ]
    report.write(Path(__file__).with_suffix(".md"), parts)


if __name__ == "__main__":
    main()
