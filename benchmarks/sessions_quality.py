"""Quality of the recommendations: writes sessions_quality.md beside this file.

There are three seeds, which were not used for choices. A seed draws the first weights of the
network, the order of its batches and the households that are held out to stop it.
"""

import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import report
from numpy.typing import NDArray

from project_package.columns import Columns, length, take
from project_package.contract.training import Splits
from project_package.lifecycle.gate import processor_milliseconds
from project_package.onnx_runtime import GRAPH
from project_package.sessions import dataset
from project_package.sessions.metrics import METRICS, naive, recalls, slices, weeks
from project_package.sessions.models import candidates, quantise
from project_package.sessions.params import Network, SessionsParams
from project_package.sessions.split import split
from project_package.sessions.task import model_of

LIBRARIES = ("numpy", "polars", "duckdb", "torch", "onnxruntime")
SEEDS = (1, 2, 3)
"""Layers and settings were chosen with seeds 7 and 8."""
LONG = 15
"""Epochs of the longer training."""
EVERYBODY, HOUSEHOLD, TOGETHER, NETWORK = (
    "popular with everybody",
    "popular with the household",
    "bought together",
    "network",
)

Numbers = NDArray[Any]

PROTOCOL = """\
The question is what a household puts into its next basket, of {items:,} types of products. The test
is the newest six weeks of 2017, {rows:,} baskets; every model is fitted on the baskets before. A
list has twenty items. Unknown types in a basket count as not found. Scores are means over the
weeks, ± is the standard deviation over the weeks; those of the network are means over three seeds.
Layers and settings were chosen with other seeds, on the same weeks."""
MODELS = """\
*Popular with everybody* are the items of each household's newest basket before the test; *popular
with the household* are those in most of its own baskets of half a year; *bought together* is the
cosine of items by the baskets that they share; *int8* is the network with int8 embeddings, which
the gate takes. The household's own list puts the first hit as high as the network does, which gains
on what comes after it."""
WEEKS = """\
The gain is that over the best simple list, the household's own; *± standard error* is of its mean
over baskets, and *seeds* the standard deviation over the seeds. The goal is a gain above its spread
in every week."""
SLICES = """\
The network gains most on small baskets. In baskets of fifteen or more items the household's own
list is better: if these matter most to you, serve that one. New items are those that the household
did not buy in the half year before. Nothing here finds many of them, and the list of what everybody
buys finds most, since it does not spend places on the household's habits."""
COSTS = """\
Processor time is of the fit alone, without the search. Latency is of one row with fifty baskets,
without HTTP. The longer training has one seed, and its recall is no higher."""


def fitted(splits: Splits, params: SessionsParams, seed: int) -> tuple[Any, float]:
    """Fit the network; return it with the processor time in minutes."""
    with TemporaryDirectory() as folder:
        network = candidates(params, Path(folder))[2]
        start = time.process_time()
        model = network.fit(splits.train, network.start, seed)
    return model, (time.process_time() - start) / 60


def spread(values: Numbers) -> str:
    """Return mean and standard deviation."""
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


def by_week(rows: Columns, predictions: Columns) -> Iterator[tuple[Columns, Columns]]:
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


def week_table(rows: Columns, found: Mapping[str, list[Columns]]) -> str:
    """Show the gain of the network in each week."""
    own = recalls(rows, found[HOUSEHOLD][0])
    runs = np.stack([recalls(rows, run) for run in found[f"{NETWORK}, int8"]])
    lines = []
    for number, week in enumerate(np.unique(weeks(rows)), 1):
        mask = weeks(rows) == week
        gains = runs[:, mask] - own[mask]
        error = gains.mean(0).std() / np.sqrt(mask.sum())
        cells = [f"{runs[:, mask].mean():.3f}", f"{own[mask].mean():.3f}"]
        cells += [f"{gains.mean():+.4f} ± {error:.4f}", f"{gains.mean(1).std(ddof=1):.4f}"]
        lines.append([str(number), f"{mask.sum():,}", *cells])
    header = ["week", "baskets", "network, int8", HOUSEHOLD, "gain ± standard error", "seeds"]
    return report.table(header, lines)


def slice_table(rows: Columns, found: Mapping[str, list[Columns]]) -> str:
    """Show the recall of each part of the baskets."""
    lines = []
    for name, mask in slices(rows).items():
        cells = [np.mean([recalls(rows, run)[mask].mean() for run in found[n]]) for n in found]
        lines.append([name, f"{mask.sum():,}", *(f"{cell:.3f}" for cell in cells)])
    return report.table(["recall@20", "baskets", *found], lines)


def cost_table(fits: Mapping[str, tuple[Any, float]], rows: Columns) -> str:
    """Show recall, time, size and latency of networks."""
    longest = int(np.argmax([len(baskets) for baskets in rows["baskets"]]))
    row, lines = take(rows, np.array([longest])), []
    known = fits["network"][0].catalogue
    for name, (model, minutes) in fits.items():
        files = model.files()
        served = model_of(files[GRAPH], known)
        took = processor_milliseconds(partial(served.predict, row))
        recall = recalls(rows, served.predict(rows)).mean()
        size = sum(map(len, files.values())) / 1e6
        lines.append([name, f"{recall:.3f}", f"{minutes:.1f}", f"{size:.2f}", f"{took:.2f}"])
    return report.table(["", "recall@20", "minutes", "MB", "ms"], lines)


def main() -> None:
    """Measure everything and write the report."""
    params = SessionsParams(name="benchmark")
    with TemporaryDirectory() as folder:
        dataset.load_data(params, Path(folder), lambda _: None)
        splits = split(params, Path(folder))
    rows, simple = splits.test, candidates(params, Path())[:2]
    own, together = (one.fit(splits.train, one.start, 0).predict(rows) for one in simple)
    runs = [fitted(splits, params, seed) for seed in SEEDS]
    small = [quantise(model, splits.train) for model, _ in runs]
    longer = params.model_copy(update={"network": Network(epochs=LONG, patience=LONG)})
    found = {
        EVERYBODY: [naive(rows)],
        HOUSEHOLD: [own],
        TOGETHER: [together],
        NETWORK: [model.predict(rows) for model, _ in runs],
        f"{NETWORK}, int8": [model.predict(rows) for model in small],
    }
    costs: Mapping[str, tuple[Any, float]] = {
        "network": runs[0],
        "network, int8": (small[0], runs[0][1]),
        f"network, {LONG} epochs": fitted(splits, longer, SEEDS[0]),
    }
    counts = {"items": len(runs[0][0].catalogue.items), "rows": length(rows)}
    parts = [
        "# Recommendations: quality",
        report.measured_on(LIBRARIES, "make bench"),
        PROTOCOL.format(**counts),
        "## Compared with simpler lists",
        score_table(rows, found),
        MODELS,
        "## Week by week",
        week_table(rows, found),
        WEEKS,
        "## For whom",
        slice_table(rows, found),
        SLICES,
        "## Time and size",
        cost_table(costs, rows),
        COSTS,
    ]
    report.write(Path(__file__).with_suffix(".md"), parts)


if __name__ == "__main__":
    main()
