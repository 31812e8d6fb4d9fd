"""Metrics of answers and of what was found, the answer without a model, and slices."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns, length, weighted_mean
from ..contract.training import Metric, Weights

PERIODS = 5  # parts of the test, whose scores give the spread
SMALLEST = 20  # questions of a slice, at least


def is_answerable(rows: Columns) -> NDArray[np.bool_]:
    """Return whether a document answers each question, (rows,)."""
    return np.array([bool(answers) for answers in rows["answers"]], np.bool_)


def ranks(rows: Columns, predictions: Columns) -> NDArray[np.float64]:
    """Return the rank, from 1, of the first document that answers; infinite if none was found."""
    return np.array(
        [
            next((rank for rank, name in enumerate(found, 1) if name in answers), np.inf)
            for answers, found in zip(rows["answers"], predictions["document"], strict=True)
        ]
    )


def is_right(rows: Columns, predictions: Columns) -> NDArray[np.bool_]:
    """Return whether an answer is from a document that answers, or a refusal right, (rows,)."""
    pairs = zip(rows["answers"], cited_documents(predictions), strict=True)
    supported = np.array([bool({*answers} & cited) for answers, cited in pairs], np.bool_)
    right: NDArray[np.bool_] = np.where(is_answerable(rows), supported, predictions["refused"])
    return right


def cited_documents(predictions: Columns) -> list[set[str]]:
    """Return the documents that the sentences of each answer name: none of a refusal."""
    return [
        {found[int(index)] for index in cited.split()}
        for found, cited in zip(predictions["document"], predictions["cited"], strict=True)
    ]


def balanced_accuracy(rows: Columns, predictions: Columns, weights: Weights) -> float:
    """Compute the mean of the shares of right answers: answerable questions and the others."""
    right = is_right(rows, predictions)
    answerable = is_answerable(rows)
    shares = [weighted_mean(right[mask], weights[mask]) for mask in (answerable, ~answerable)]
    return float(np.nanmean(shares)) if np.isfinite(shares).any() else np.nan


def among(
    mask: Callable[[Columns], NDArray[np.bool_]],
    values: Callable[[Columns, Columns], NDArray[Any]],
) -> Callable[[Columns, Columns, Weights], float]:
    """Return a score: the mean of values over the rows of a mask."""

    def compute(rows: Columns, predictions: Columns, weights: Weights) -> float:
        chosen = mask(rows)
        return weighted_mean(values(rows, predictions)[chosen], weights[chosen])

    return compute


METRICS = (
    Metric(
        "mrr",
        "MRR",
        among(is_answerable, lambda r, p: 1 / ranks(r, p)),
        meaning="Mean of 1 / rank of the first passage that answers, 0 if there is none.",
    ),
    Metric(
        "balanced_accuracy",
        "Balanced accuracy",
        balanced_accuracy,
        meaning="Share of answerable questions that a right passage answers, and share of the "
        "others that are refused: the mean of both.",
    ),
    Metric(
        "answered",
        "Answered",
        among(is_answerable, lambda _, p: ~p["refused"].astype(bool)),
        meaning="Share of answerable questions that are not refused: decide.answer_rate.",
    ),
    Metric(
        "refused",
        "Refused",
        among(lambda rows: ~is_answerable(rows), lambda _, p: p["refused"].astype(bool)),
        meaning="Share of the other questions that are refused.",
    ),
    Metric(
        "recall_at_1",
        "Recall@1",
        among(is_answerable, lambda r, p: ranks(r, p) <= 1),
        meaning="Share of answerable questions whose first passage answers.",
    ),
    Metric(
        "recall_at_5",
        "Recall@5",
        among(is_answerable, lambda r, p: ranks(r, p) <= 5),
        meaning="Share of answerable questions that one of the first five passages answers.",
    ),
)


def naive(rows: Columns) -> Columns:
    """Refuse every question."""
    count = length(rows)
    return {
        "document": np.full((count, 1), "", object),
        "cited": np.full(count, "", object),
        "confidence": np.zeros(count, np.float32),
        "refused": np.ones(count, np.bool_),
    }


def periods(rows: Columns) -> NDArray[Any]:
    """Return each question's part of the test; those of a topic stay together."""
    _, topic = np.unique(rows["topic"].astype(str), return_inverse=True)
    return topic % PERIODS


def slices(rows: Columns) -> Mapping[str, NDArray[Any]]:
    """Slice by language, and by what the documents say about a question."""
    masks: dict[str, NDArray[np.bool_]] = {}
    for values in (rows["language"].astype(str), rows["kind"].astype(str)):
        masks |= {value: values == value for value in np.unique(values) if value}
    return {name: mask for name, mask in masks.items() if mask.sum() >= SMALLEST}
