"""Metrics of inspection, the answer without a model, parts of the test and slices."""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from ..columns import Columns
from ..contract.training import Metric
from .decision import Details
from .params import Decide, InspectionParams
from .sources import GOOD

Values: TypeAlias = NDArray[Any]
PERIODS = 5  # parts of the test, at most, whose scores give the spread
SMALLEST = 20  # images of a slice, at least


def auroc(labels: Values, found: Values, weights: Values | None = None) -> float:
    """Compute the area under the ROC curve; NaN when a class is missing."""
    both = np.unique(labels if weights is None else labels[weights > 0])
    return float(roc_auc_score(labels, found, sample_weight=weights)) if len(both) > 1 else np.nan


def recall_at(share: float, rows: Columns, predictions: Columns) -> float:
    """Compute recall at a false-alarm rate, a share of the good parts; NaN for a single class."""
    labels, found = rows["is_defective"], predictions["probability"]
    if not labels.any() or labels.all():
        return np.nan
    false, recall, _ = roc_curve(labels, found, drop_intermediate=False)
    return float(recall[false <= share].max())


def cost(decide: Decide, rows: Columns, predictions: Columns) -> float:
    """Compute the mean cost of a decision."""
    labels, decision = rows["is_defective"], predictions["decision"]
    missed, false = np.mean(labels & ~decision), np.mean(~labels & decision)
    return float(decide.missed * missed + decide.false_alarm * false)


def calibration_error(rows: Columns, predictions: Columns, bins: int = 10) -> float:
    """Compute the expected calibration error over bins of equal size (Naeini et al. 2015)."""
    found = predictions["probability"].astype(np.float64)
    bins_of = np.array_split(np.argsort(found, kind="stable"), bins)
    gaps = [abs(float(np.sum((found - rows["is_defective"])[part]))) for part in bins_of]
    return sum(gaps) / len(found)


def best_auroc(rows: Columns) -> float:
    """Compute the AUROC of an observer who knows shape and place of each defect: see simulator."""
    return float(np.mean(norm.cdf(rows["visibility"][rows["is_defective"]] / np.sqrt(2))))


def metrics(params: InspectionParams, ceiling: bool) -> tuple[Metric, ...]:
    """Return the metrics, the one that decides first; `ceiling`: the rows have a visibility."""
    return (
        Metric(
            "auroc",
            "AUROC",
            lambda r, p: auroc(r["is_defective"], p["probability"]),
            ceiling=best_auroc if ceiling else None,
            meaning="How often a defect has a higher probability than a good part.",
        ),
        Metric(
            "ap",
            "Average precision",
            lambda r, p: float(average_precision_score(r["is_defective"], p["probability"])),
            meaning="Mean precision at the ranks of the defects.",
        ),
        *(
            Metric(
                f"recall_{percent}",
                f"Recall at {percent}% false alarms",
                partial(recall_at, percent / 100),
                meaning=f"Defects found when {percent}% of the good parts are rejected too.",
            )
            for percent in (1, 5)
        ),
        Metric(
            "cost",
            "Mean cost",
            partial(cost, params.decide),
            higher_is_better=False,
            meaning="What a decision costs on average, by the costs under [decide].",
        ),
        Metric(
            "calibration",
            "Calibration error",
            calibration_error,
            higher_is_better=False,
            meaning="Distance of probabilities from shares of defects.",
        ),
    )


def naive(params: InspectionParams, rows: Columns) -> Columns:
    """Predict the share of defects for every image, and the decision that costs least."""
    labels, costs = rows["is_defective"], params.decide
    threshold = costs.false_alarm / (costs.false_alarm + costs.missed)
    constant = Details(size=params.data.size, inputs="pixels", threshold=threshold)
    return constant.decide(np.full(len(labels), np.mean(labels), np.float32))


def periods(rows: Columns) -> Values:
    """Return each image's test part, stratified by defect; photos of one object stay together."""
    names, code = np.unique(rows["part"].astype(str), return_inverse=True)
    defective = np.zeros(len(names), np.int64)
    np.maximum.at(defective, code, rows["is_defective"].astype(np.int64))
    order = np.argsort(np.argsort(defective, kind="stable"))
    rarer = int(min(defective.sum(), (1 - defective).sum()))  # each test part has one, at least
    test_parts: Values = order[code] % max(1, min(PERIODS, rarer))
    return test_parts


def slices(rows: Columns) -> Mapping[str, Values]:
    """Slice by kind of defect, with all good images, by type, brightness, and without copies."""
    good, kinds = ~rows["is_defective"], rows["kind"]
    found = {kind: good | (kinds == kind) for kind in sorted({*kinds.tolist()} - {GOOD})}
    found |= {name: rows["type"] == name for name in sorted({*rows["type"].tolist()} - {""})}
    light = rows["image"].mean((1, 2))
    low, high = np.quantile(light, [1 / 3, 2 / 3])
    found |= {"dark images": light < low, "bright images": light >= high}
    if rows["copied"].any():
        found["without copies"] = ~rows["copied"]
    return {
        name: mask
        for name, mask in found.items()
        if min(np.sum(mask & good), np.sum(mask & ~good)) >= SMALLEST
    }
