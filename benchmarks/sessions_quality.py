"""Quality of the recommendations: writes sessions_quality.md beside this file.

There are three seeds, which were not used for choices: see `sessions_models`.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import report
from numpy.typing import NDArray
from sessions_models import INT8, TIFU, Fits, fit_all
from tifu_knn import GRID

from project_package.columns import Columns, length, take
from project_package.contract.training import Metric
from project_package.lifecycle.gate import processor_milliseconds
from project_package.onnx_runtime import GRAPH
from project_package.sessions import dataset
from project_package.sessions.features import HOUSEHOLD, objects
from project_package.sessions.metrics import METRICS, naive, recalls, slices, weeks
from project_package.sessions.params import SessionsParams
from project_package.sessions.split import split
from project_package.sessions.task import Catalogue, model_of

LIBRARIES = ("numpy", "polars", "duckdb", "scikit-learn", "torch", "onnxruntime")
EVERYBODY = "popular with everybody"
COMPARED = METRICS[:3]
"""Recall, MRR and NDCG."""

Numbers = NDArray[Any]
Part = tuple[Columns, Columns]
"""Rows and predictions."""

PROTOCOL = """\
The question is what a household puts into its next basket, of {items:,} types of products. The test
is the newest six weeks of 2017, {rows:,} baskets; every model is fitted on the baskets before. A
list has twenty items. Unknown types in a basket count as not found. Scores are means over the
weeks, ± is the standard deviation over the weeks; those with a network are means over three seeds.

What was chosen where: the half-life and the prior of the counts on the six weeks before the test;
the weight of the network in the mixture by each seed on its validation weeks, the three before the
test, as `ml train` does ({shares}); the settings of TIFU-KNN on the same weeks, of
{tried} that were tried ({settings}); the layers of the network on the test weeks, with other
seeds."""
MODELS = """\
*Popular with everybody* are the items of each household's newest basket before the test. *Counts*
is the simple baseline of the project: what the household bought in a year, a purchase half as much
after 90 days, and 50 purchases as everybody makes them. *TIFU-KNN* (Hu et al. 2020) mixes such a
vector with those of households like it. The *mixture* of counts and network is what `ml train`
chooses; *int8* is with int8 embeddings. *New* is what the household did not buy in the year
before."""
WEEKS = """\
Gains of the mixture with int8 over TIFU-KNN, means over the seeds, with a 95 % interval: a
bootstrap of the households, whose baskets stay together."""
SLICES = """\
Means over baskets. In baskets of fifteen or more items, the counts alone find more."""
NEW = """\
Lists without what the household bought in the year before, as a request with `"only_new": true`
gets, for the baskets that have such items. *Hidden: half a year* leaves out only what was bought in
the 182 days and 50 baskets before: then old favourites count as new, and the counts know them."""
COSTS = """\
Processor time is of the fit alone, without the search. Latency is of one row with the longest
history, without HTTP."""


def by_week(rows: Columns, predictions: Columns) -> Iterator[Part]:
    """Yield rows and predictions of each week."""
    for week in np.unique(weeks(rows)):
        mask = weeks(rows) == week
        yield take(rows, mask), take(predictions, mask)


def score_table(rows: Columns, found: Mapping[str, list[Columns]]) -> str:
    """Show each metric of each model."""
    lines = []
    for name, runs in found.items():
        cells = []
        for metric in METRICS:
            scores = [[metric.score(*part) for part in by_week(rows, run)] for run in runs]
            weekly = np.mean(scores, axis=0)
            many = metric.name == "coverage"
            cells.append(f"{weekly.mean():.0f}" if many else spread(weekly))
        lines.append([name, *cells])
    return report.table(["six weeks", *(metric.label for metric in METRICS)], lines)


def spread(values: Numbers) -> str:
    """Return mean and standard deviation."""
    return f"{np.mean(values):.4f} ± {np.std(values):.3f}"


def interval(gains: Numbers, households: Numbers) -> tuple[float, float]:
    """Return the bounds that hold the mean gain with 95 %, by a bootstrap of the households."""
    who = np.unique(households.astype(str), return_inverse=True)[1]
    sums, counts = np.bincount(who, gains), np.bincount(who)
    random = np.random.default_rng(0)
    drawn = random.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), 2_000)
    low, high = np.quantile(drawn @ sums / (drawn @ counts), (0.025, 0.975))
    return float(low), float(high)


def week_table(rows: Columns, found: Mapping[str, list[Columns]]) -> str:
    """Show the gains of the mixture over TIFU-KNN in each week."""
    new, old = ([[*by_week(rows, run)] for run in found[name]] for name in (INT8, TIFU))
    lines = []
    for number, (part, _) in enumerate(by_week(rows, rows)):
        cells = []
        for metric in COMPARED:
            gains = mean_values(metric, new, number) - mean_values(metric, old, number)
            low, high = interval(gains, part[HOUSEHOLD])
            cells.append(f"{np.mean(gains):+.4f} ({low:+.4f} to {high:+.4f})")
        lines.append([str(number + 1), f"{length(part):,}", *cells])
    return report.table(["week", "baskets", *(metric.label for metric in COMPARED)], lines)


def mean_values(metric: Metric, runs: Sequence[Sequence[Part]], week: int) -> Numbers:
    """Return the value of each basket of a week, (baskets,), the mean over the runs."""
    values = [metric.prepare(*weekly[week])["value"] for weekly in runs]
    return np.asarray(np.mean(values, axis=0))


def slice_table(rows: Columns, found: Mapping[str, list[Columns]]) -> str:
    """Show the recall of each part of the baskets."""
    lines = []
    for name, mask in slices(rows).items():
        cells = [np.mean([recalls(rows, run)[mask].mean() for run in found[n]]) for n in found]
        lines.append([name, f"{mask.sum():,}", *(f"{cell:.3f}" for cell in cells)])
    return report.table(["recall@20", "baskets", *found], lines)


def new_table(rows: Columns, models: Mapping[str, list[Any]]) -> str:
    """Show the recall of items that are new, in lists of such items only."""
    asked = {**rows, "exclude": objects([()] * length(rows)), "only_new": np.ones(length(rows))}
    lately = half_year(rows)
    metric = next(metric for metric in METRICS if metric.name == "recall_new")
    lines = []
    for name, runs in models.items():
        year = [metric.score(rows, model.predict(asked)) for model in runs]
        hidden = {**asked, "exclude": lately["seen"], "only_new": np.zeros(length(rows))}
        half = [metric.score(lately, model.predict(hidden)) for model in runs]
        lines.append([name, f"{np.mean(year):.4f}", f"{np.mean(half):.4f}"])
    return report.table(["recall@20 of new items", "hidden: a year", "hidden: half a year"], lines)


def half_year(rows: Columns) -> Columns:
    """Return rows in which new is what is not among the newest 50 baskets of 182 days."""
    seen = []
    for baskets, days in zip(rows["baskets"], rows["days"], strict=True):
        pairs = list(zip(baskets, days, strict=True))[-50:]
        seen.append({item for basket, ago in pairs if ago < 182 for item in basket})
    again = (
        tuple(item for item in bought if item in known)
        for bought, known in zip(rows["bought"], seen, strict=True)
    )
    return {**rows, "again": objects(again), "seen": objects(seen)}


def cost_table(models: Mapping[str, tuple[Any, float]], rows: Columns, known: Catalogue) -> str:
    """Show recall, time, size and latency of models, which know the same items."""
    longest = int(np.argmax([len(baskets) for baskets in rows["baskets"]]))
    row, lines = take(rows, np.array([longest])), []
    for name, (model, minutes) in models.items():
        files = model.files()
        served = model_of(files[GRAPH], known)
        took = processor_milliseconds(partial(served.predict, row))
        recall = recalls(rows, served.predict(rows)).mean()
        size = sum(map(len, files.values())) / 1e6
        lines.append([name, f"{recall:.4f}", f"{minutes:.1f}", f"{size:.2f}", f"{took:.2f}"])
    return report.table(["", "recall@20", "minutes", "MB", "ms"], lines)


def protocol(rows: Columns, fits: Fits) -> list[str]:
    """Describe the task, and what was chosen where."""
    values = {
        "items": len(fits.counts.catalogue.items),
        "rows": length(rows),
        "shares": ", ".join(f"{run.share:g}" for run in fits.runs),
        "tried": int(np.prod([*map(len, GRID.values())])),
        "settings": ", ".join(f"{name} {value}" for name, value in fits.rival.settings.items()),
    }
    return [textwrap.fill(text.format(**values), 100) for text in PROTOCOL.split("\n\n")]


def main() -> None:
    """Measure everything and write the report."""
    params = SessionsParams(name="benchmark")
    with TemporaryDirectory() as folder:
        dataset.load_data(params, Path(folder), lambda _: None)
        dataset.group_baskets(params, Path(folder))
        splits = split(params, Path(folder))
    rows = splits.test
    fits = fit_all(splits, params)
    models = fits.models()
    found = {EVERYBODY: [naive(rows)]}
    found |= {name: [model.predict(rows) for model in each] for name, each in models.items()}
    parts = [
        "# Recommendations: quality",
        report.measured_on(LIBRARIES, "make bench"),
        *protocol(rows, fits),
        "## Compared with simpler lists",
        score_table(rows, found),
        MODELS,
        "## Week by week",
        week_table(rows, found),
        WEEKS,
        "## For whom",
        slice_table(rows, found),
        SLICES,
        "## New items only",
        new_table(rows, models),
        NEW,
        "## Time and size",
        cost_table(fits.costs(), rows, fits.counts.catalogue),
        COSTS,
    ]
    report.write(Path(__file__).with_suffix(".md"), parts)


if __name__ == "__main__":
    main()
