"""Quality of the inspection: writes inspection_quality.md beside this file.

There are three seeds, which were not used for choices. A seed draws the test parts, the first
weights of the network and the order of its images. `make bench` installs the packages that have
solar cells and a trained network.
"""

import json
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import patch_neighbours
import report
from elpv import list_cells
from numpy.typing import NDArray

from project_package.binary_metrics import roc_auc
from project_package.columns import Columns, length, take
from project_package.inspection import dataset, metrics
from project_package.inspection.images import stack
from project_package.inspection.models import candidates
from project_package.inspection.params import Data, InspectionParams
from project_package.inspection.simulator import add_defects
from project_package.inspection.split import split
from project_package.inspection.task import model_of
from project_package.lifecycle.gate import processor_milliseconds
from project_package.onnx_runtime import GRAPH

LIBRARIES = ("numpy", "scikit-learn", "keras", "tensorflow-cpu", "onnxruntime")
SEEDS = (1, 2, 3)
"""Layers and settings were chosen with seeds from 7 on."""
CELLS = "cells.csv"
FEATURES = {"network": {"backbone": "efficientnet_lite0"}}
SOURCES: Mapping[str, Mapping[str, Any]] = {
    "simulated parts": {},
    "solar cells of 128 pixels": {"data": {"source": CELLS, "size": 128}, **FEATURES},
    "solar cells of 224 pixels": {
        "data": {"source": CELLS, "size": 224},
        "train": {"candidates": ["pretrained_linear", "pretrained_svm"]},
        **FEATURES,
    },
    "simulated parts, from good ones alone": {"data": {"good_only": True}},
    "solar cells, from good ones alone": {
        "data": {"source": CELLS, "size": 128, "good_only": True}
    },
}
NAMES = {
    "statistics": "statistics",
    "cnn": "network",
    "int8": "network, int8",
    "pretrained_linear": "features, linear",
    "pretrained_svm": "features, machine",
    "good_statistics": "statistics",
    "good_features": "features",
    "patches": "nearest patches",
}

PROTOCOL = """\
Each of three seeds draws a quarter of the parts as test; models are fitted on the others. Figures
are means over the seeds, ± is the standard deviation over them. *Statistics* is the baseline, a
logistic regression on fourteen statistics of an image; *network* is trained from scratch, with the
defaults; *int8* is quantised, which the gate takes if it is smaller and faster and loses little;
*features* are those of EfficientNet-Lite0, which its authors trained on photos (ImageNet), for a
logistic regression and a support vector machine. Layers and settings were chosen with other seeds:
of the simulator, other images; of the solar cells, the same images in another split.

*From good ones alone*: models see the good training images only. *Statistics* and *features* have a
normal distribution each; the rival, *nearest patches*, is the distance to the patches of good
images, after PatchCore (Roth and others 2022): see `benchmarks/patch_neighbours.py`."""
SIMULATED = """\
{count:,} images. An observer who knows shape and place of each defect would have a ROC AUC of
{best:.3f}, to three digits. The goal is .97, and a recall of .90 at 1% false alarms."""
SOLAR = """\
The {count:,} cells of the package elpv-dataset that its authors are sure of, as listed by
`benchmarks/elpv.py`. The goal is a ROC AUC of .96."""
DRAWN = """\
Without defects in the source, the test has drawn ones; with these, *features* would show a ROC AUC
of {drawn}."""
COSTS = """\
The minutes of *int8* are those of the quantisation alone, and the minutes of the features are with
the first classifier that reads them."""


class Fit(NamedTuple):
    """One seed: test rows, predictions and costs (minutes, MB, ms) by model, and all images."""

    rows: Columns
    predictions: Mapping[str, Columns]
    costs: Mapping[str, tuple[float, float, float]]
    images: int
    drawn: float
    """ROC AUC of the last model on drawn defects, where it learned from good images alone."""


def measure(params: InspectionParams, folder: Path) -> Fit:
    """Fit all candidates with a seed, and predict the test."""
    splits = split(params, folder)
    one = take(splits.test, np.arange(1))
    predictions: dict[str, Columns] = {}
    costs: dict[str, tuple[float, float, float]] = {}

    def score(name: str, fit: Callable[[], Any]) -> Any:
        start = time.process_time()
        model = fit()
        minutes = (time.process_time() - start) / 60
        files = model.files()
        served = model_of(files[GRAPH], model.details)
        took = processor_milliseconds(partial(served.predict, one))
        costs[name] = minutes, sum(map(len, files.values())) / 1e6, took
        predictions[name] = model.predict(splits.test)
        return model

    simple, *others = candidates(params, folder)
    chosen = params.train.candidates
    model: Any = None
    for candidate in (simple, *(c for c in others if not chosen or c.name in chosen)):
        model = score(
            candidate.name, partial(candidate.fit, splits.train, candidate.start, params.seed)
        )
        if candidate.quantise:
            score("int8", partial(candidate.quantise, model, splits.train))
    drawn = np.nan
    if params.data.good_only:
        known, good = (take(rows, ~rows["is_defective"]) for rows in (splits.train, splits.test))
        seen, tested = (stack(rows["image"]) for rows in (known, splits.test))
        distances = patch_neighbours.unusual(seen, tested, params.seed)
        predictions["patches"] = {"probability": distances}
        rows, pixels = with_defects(good, params.data)
        drawn = roc_auc(rows["is_defective"], model.predict({"image": pixels})["probability"])
    images = length(splits.train) + length(splits.test)
    return Fit(splits.test, predictions, costs, images, drawn)


def with_defects(good: Columns, data: Data) -> tuple[Columns, NDArray[np.uint8]]:
    """Return rows of good images and of copies with drawn defects, and their images."""
    images = np.resize(stack(good["image"]), (data.images(length(good)), data.size, data.size))
    rows = add_defects({**good, "position": np.arange(length(good))}, images, data)
    return rows, images[rows["position"]]


def prepare(params: InspectionParams, folder: Path) -> None:
    """Write the images, and what they are read from, into a folder."""
    data = params.data
    if data.source == CELLS:
        list_cells(folder / CELLS)
        data = data.model_copy(update={"source": str(folder / CELLS)})
    dataset.load_data(params.model_copy(update={"data": data}), folder, lambda _: None)
    dataset.find_copies(params, folder, lambda _: None)


def score_table(params: InspectionParams, runs: Sequence[Fit]) -> str:
    """Show each metric that needs no threshold."""
    every = metrics.metrics(params, ceiling=False)
    chosen = [metric for metric in every if metric.name not in {"cost", "rejected"}]
    lines = []
    for key in runs[0].predictions:
        scores = [[m.score(run.rows, run.predictions[key]) for run in runs] for m in chosen]
        lines.append([NAMES[key], *map(report.spread, scores)])
    return report.table(["on test images", *(metric.label for metric in chosen)], lines)


def slice_table(runs: Sequence[Fit]) -> str:
    """Show the ROC AUC of each slice that every seed has."""
    parts = [metrics.slices(run.rows) for run in runs]
    lines = []
    for name in [n for n in parts[0] if all(n in part for part in parts)]:
        cells = []
        for key in runs[0].predictions:
            found = []
            for run, part in zip(runs, parts, strict=True):
                rows, predictions = (take(c, part[name]) for c in (run.rows, run.predictions[key]))
                found.append(roc_auc(rows["is_defective"], predictions["probability"]))
            cells.append(report.spread(found))
        lines.append([name, *cells])
    return report.table(["ROC AUC", *(NAMES[key] for key in runs[0].predictions)], lines)


def cost_table(runs: Sequence[Fit]) -> str:
    """Show processor time, size and latency, the mean over the seeds."""
    lines = []
    for name in runs[0].costs:
        minutes, size, took = np.mean([run.costs[name] for run in runs], axis=0)
        lines.append([NAMES[name], f"{minutes:.1f}", f"{size:.2f}", f"{took:.2f}"])
    header = ["", "processor minutes of a fit", "MB", "ms of processor time for an image"]
    return report.table(header, lines)


def about(values: Mapping[str, Any], runs: Sequence[Fit]) -> str:
    """Describe the images and the parameters that are not the defaults."""
    best = np.mean([metrics.best_roc_auc(run.rows) for run in runs])
    text = (SIMULATED if np.isfinite(best) else SOLAR).format(count=runs[0].images, best=best)
    if values:
        pairs = [pair for section in values.values() for pair in section.items()]
        listed = ", ".join(f"`{name}={json.dumps(value)}`" for name, value in pairs)
        text += f" In `params.toml`: {listed}."
    if np.isfinite(runs[0].drawn):
        text += " " + DRAWN.format(drawn=report.spread([run.drawn for run in runs]))
    return textwrap.fill(text, 100, break_on_hyphens=False)


def main() -> None:
    """Measure everything and write the report."""
    parts = ["# Inspection: quality", report.measured_on(LIBRARIES, "make bench"), PROTOCOL]
    for title, values in SOURCES.items():
        runs = []
        for seed in SEEDS:
            data = {**values.get("data", {}), "seed": seed}
            values_of_seed = {**values, "data": data, "seed": seed, "name": "benchmark"}
            params = InspectionParams.model_validate(values_of_seed)
            with TemporaryDirectory() as name:
                prepare(params, Path(name))
                runs.append(measure(params, Path(name)))
        parts += [f"## {title.capitalize()}", about(values, runs)]
        parts += [score_table(params, runs), slice_table(runs), cost_table(runs)]
    report.write(Path(__file__).with_suffix(".md"), [*parts, COSTS])


if __name__ == "__main__":
    main()
