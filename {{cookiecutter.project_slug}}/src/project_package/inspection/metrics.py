"""Metrics of inspection, the answer without a model, parts of the test and slices."""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import roc_curve

from ..binary_metrics import average_precision, calibration_error, counted, roc_auc
from ..columns import Columns, weighted_mean
from ..contract.training import Metric, Weights
from ..thresholds import break_even
from .decide_and_explain import Details
from .params import Decide, InspectionParams
from .sources import GOOD
from .usable import brightness

Values: TypeAlias = NDArray[Any]
PERIODS = 5  # parts of the test, at most, whose scores give the spread
SMALLEST = 20  # images of a slice, at least


def recall_at(
    share: float, rows: Columns, predictions: Columns, weights: Weights | None = None
) -> float:
    """Compute recall at a false-alarm rate, a share of the good parts; NaN for a single class."""
    labels = rows["is_defective"]
    if len(np.unique(counted(labels, weights))) < 2:
        return np.nan
    false, recall, _ = roc_curve(
        labels, predictions["probability"], sample_weight=weights, drop_intermediate=False
    )
    return float(recall[false <= share].max())


def cost(
    decide: Decide, rows: Columns, predictions: Columns, weights: Weights | None = None
) -> float:
    """Compute the mean cost of a decision."""
    labels = rows["is_defective"]
    decision = predictions["decision"]
    missed = decide.missed * (labels & ~decision)
    return weighted_mean(missed + decide.false_alarm * (~labels & decision), weights)


def best_roc_auc(rows: Columns) -> float:
    """Compute the ROC AUC of one who knows shape and place of each defect: see simulator."""
    return float(np.mean(norm.cdf(rows["visibility"][rows["is_defective"]] / np.sqrt(2))))


def rejected(rows: Columns, predictions: Columns, weights: Weights | None = None) -> float:
    """Compute the share of good images that are rejected."""
    good = np.where(rows["is_defective"], 0.0, 1.0 if weights is None else weights)
    return weighted_mean(predictions["decision"], good)


def metrics(params: InspectionParams, ceiling: bool) -> tuple[Metric, ...]:
    """Return the metrics, the one that decides first; `ceiling`: the rows have a visibility."""
    of_decisions = good_only_metrics if params.data.good_only else cost_metrics
    return *ranking_metrics(ceiling), *of_decisions(params.decide)


def ranking_metrics(ceiling: bool) -> tuple[Metric, ...]:
    """Return the metrics of the order of probabilities."""
    return (
        Metric(
            "roc_auc",
            "ROC AUC",
            lambda r, p, w: roc_auc(r["is_defective"], p["probability"], w),
            ceiling=best_roc_auc if ceiling else None,
            meaning="How often a defect has a higher probability than a good part.",
        ),
        Metric(
            "average_precision",
            "Average precision",
            lambda r, p, w: average_precision(r["is_defective"], p["probability"], w),
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
    )


def good_only_metrics(decide: Decide) -> tuple[Metric, ...]:
    """Return the metric of decisions that weigh no costs, since no defect was learned."""
    share = f"{decide.rejected:.1%}"
    meaning = f"Share of the good images that the decision rejects; the target is {share}."
    return (Metric("rejected", "Good rejected", rejected, higher_is_better=False, meaning=meaning),)


def cost_metrics(decide: Decide) -> tuple[Metric, ...]:
    """Return the metrics of decisions by costs, and of the probabilities that they need."""
    return (
        Metric(
            "cost",
            "Mean cost",
            partial(cost, decide),
            higher_is_better=False,
            meaning="What a decision costs on average, by the costs under [decide].",
        ),
        Metric(
            "calibration",
            "Calibration error",
            lambda r, p, w: calibration_error(r["is_defective"], p["probability"], w),
            higher_is_better=False,
            meaning="Distance of probabilities from shares of defects.",
        ),
    )


def naive(params: InspectionParams, rows: Columns) -> Columns:
    """Predict the share of defects for every image, and the decision that costs least."""
    labels = rows["is_defective"]
    threshold = break_even(params.decide.false_alarm, params.decide.missed)
    if params.data.good_only:
        threshold = 2.0  # which none reaches
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
    good = ~rows["is_defective"]
    kinds = rows["kind"]
    masks = {kind: good | (kinds == kind) for kind in sorted({*kinds.tolist()} - {GOOD})}
    masks |= {name: rows["type"] == name for name in sorted({*rows["type"].tolist()} - {""})}
    light = brightness(rows["image"])
    low, high = np.quantile(light, [1 / 3, 2 / 3])
    masks |= {"dark images": light < low, "bright images": light >= high}
    if rows["copied"].any():
        masks["without copies"] = ~rows["copied"]
    return {
        name: mask
        for name, mask in masks.items()
        if min(np.sum(mask & good), np.sum(mask & ~good)) >= SMALLEST
    }
