"""Metrics of answers and of what was found, the answer without a model, and slices."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns, length, weighted_mean
from ..contract.training import Metric, Weights
from .answer import EXTRACTIVE, is_quoted
from .grounding import Cited, UngroundedError, require_grounded, require_quoted
from .index import Passage

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
    """Return whether each answer cites a right document, or a refusal is right, (rows,)."""
    pairs = zip(rows["answers"], cited_documents(predictions), strict=True)
    supported = np.array([bool({*answers} & cited) for answers, cited in pairs], np.bool_)
    right: NDArray[np.bool_] = np.where(is_answerable(rows), supported, predictions["refused"])
    return right


def is_grounded(rows: Columns, predictions: Columns) -> NDArray[np.bool_]:
    """Return whether the cited passages support every sentence of an answer, (rows,).

    They have a quoted sentence word for word; a written one passes the checks of `grounding`.
    """
    found = np.ones(length(rows), np.bool_)
    quoted = is_quoted(predictions)
    for row, answer in enumerate(predictions["answer"]):
        texts = zip(predictions["title"][row], predictions["text"][row], strict=True)
        passages = [Passage("", title, 0, "", "", "", text) for title, text in texts]
        cited = predictions["cited"][row].splitlines()
        for text, numbers in zip(answer.splitlines(), cited, strict=True):
            sentence = Cited(text, tuple(map(int, numbers.split())))
            try:
                if quoted[row]:
                    require_quoted(sentence, passages)
                else:
                    require_grounded(sentence, rows["question"][row], passages)
            except UngroundedError:
                found[row] = False
    return found


def grounded_shares(rows: Columns, predictions: Columns) -> dict[str, float]:
    """Return the share of quoted and of written answers that is grounded; NaN if there is none."""
    grounded = is_grounded(rows, predictions)
    answered = ~predictions["refused"].astype(bool)
    quoted = is_quoted(predictions)
    return {
        "grounded_quoted": weighted_mean(grounded[answered & quoted]),
        "grounded_written": weighted_mean(grounded[answered & ~quoted]),
    }


def worst_first(rows: Columns, predictions: Columns) -> NDArray[np.intp]:
    """Return the indices of rows: wrong answers and refusals first, the most certain of them."""
    refused = predictions["refused"].astype(bool)
    certain = np.where(refused, 1 - predictions["confidence"], predictions["confidence"])
    return np.lexsort((-certain, is_right(rows, predictions)))


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


def mean_of(
    values: Callable[[Columns, Columns], NDArray[Any]],
    mask: Callable[[Columns], NDArray[np.bool_]] | None = None,
) -> Callable[[Columns, Columns, Weights], float]:
    """Return a score: the mean of values over the rows of a mask, by default over all."""

    def compute(rows: Columns, predictions: Columns, weights: Weights) -> float:
        chosen = mask(rows) if mask else slice(None)
        return weighted_mean(values(rows, predictions)[chosen], weights[chosen])

    return compute


METRICS = (
    Metric(
        "mrr",
        "MRR",
        mean_of(lambda r, p: 1 / ranks(r, p), is_answerable),
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
        mean_of(lambda _, p: ~p["refused"].astype(bool), is_answerable),
        meaning="Share of answerable questions that are not refused: decide.answer_rate.",
    ),
    Metric(
        "refused",
        "Refused",
        mean_of(lambda _, p: p["refused"].astype(bool), lambda rows: ~is_answerable(rows)),
        meaning="Share of the other questions that are refused.",
    ),
    Metric(
        "grounded",
        "Grounded",
        mean_of(is_grounded),
        meaning="Share of answers and refusals in which passages support each sentence.",
    ),
    Metric(
        "usd",
        "Cost",
        mean_of(lambda _, p: p["usd"]),
        higher_is_better=False,
        meaning="Mean price of a question at the language model, in US dollars.",
    ),
    Metric(
        "tokens",
        "Tokens",
        mean_of(lambda _, p: p["tokens"]),
        higher_is_better=False,
        meaning="Mean number of tokens that the language model reads and writes for a question.",
    ),
    Metric(
        "recall_at_1",
        "Recall@1",
        mean_of(lambda r, p: ranks(r, p) <= 1, is_answerable),
        meaning="Share of answerable questions whose first passage answers.",
    ),
    Metric(
        "recall_at_5",
        "Recall@5",
        mean_of(lambda r, p: ranks(r, p) <= 5, is_answerable),
        meaning="Share of answerable questions that one of the first five passages answers.",
    ),
)


def naive(rows: Columns) -> Columns:
    """Refuse every question."""
    count = length(rows)
    return {
        **{name: np.full((count, 1), "", object) for name in ("document", "title", "text")},
        **{name: np.full(count, "", object) for name in ("answer", "cited")},
        "by": np.full(count, EXTRACTIVE, object),
        "usd": np.zeros(count, np.float32),
        "tokens": np.zeros(count, np.int64),
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
