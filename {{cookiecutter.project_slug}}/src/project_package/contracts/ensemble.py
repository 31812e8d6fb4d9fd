"""The mean of TF-IDF and the fine-tuned language model, which err on different clauses."""

from collections.abc import Iterator, Sequence
from typing import Any

from ..columns import Columns
from ..contract.training import Candidate, Choice, Fold, Hyperparameters, Metric, Report, ignore
from .models import LORA, TFIDF, Trained, quantise


def ensembles(
    seed: int, folds: Sequence[Fold], metric: Metric, choices: Sequence[Choice]
) -> Iterator[Choice]:
    """Yield the mean of both probabilities (soft voting), with its score on the folds."""
    best = {choice.candidate.name: choice for choice in choices}
    if LORA not in best:  # `train.candidates` leaves it out
        return
    both = (best[TFIDF], best[LORA])
    settings = {**both[0].settings, **both[1].settings}

    def fit(rows: Columns, _: Hyperparameters, seed: int, report: Report = ignore) -> Trained:
        parts: list[Any] = [one.candidate.fit(rows, one.settings, seed, report) for one in both]
        words, network = parts
        return Trained((*words.models, *network.models), network.details)

    fits = [fit(fold.train, settings, seed) for fold in folds]
    pairs = zip(folds, fits, strict=True)
    scores = [metric.score(fold.valid, fitted.predict(fold.valid)) for fold, fitted in pairs]
    candidate = Candidate("ensemble", settings, fit, quantise=quantise)
    yield Choice(candidate, settings, tuple(scores))
