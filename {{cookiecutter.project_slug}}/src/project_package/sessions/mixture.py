"""The mixture of the network and the counts that is best on the folds."""

from collections.abc import Iterator, Sequence
from typing import Any

from ..columns import Columns
from ..contract.training import Candidate, Choice, Fold, Hyperparameters, Metric, Report, ignore
from .models import COUNTS, NETWORK, Trained, quantise

SHARES = (0.2, 0.4, 0.6, 0.8)
"""Weights of the network to try; the recall changes little between them."""


def mixtures(
    seed: int, folds: Sequence[Fold], metric: Metric, choices: Sequence[Choice]
) -> Iterator[Choice]:
    """Yield mixtures of the counts and the network, with their scores on the folds.

    They miss different items, so a mixture has a higher recall than each.
    """
    best = {choice.candidate.name: choice for choice in choices}
    if NETWORK not in best:  # `train.candidates` leaves it out
        return
    parts = [best[COUNTS], best[NETWORK]]
    fits = [[c.candidate.fit(fold.train, c.settings, seed) for c in parts] for fold in folds]
    for share in SHARES:
        mixed = [mix(*fit, share) for fit in fits]
        scores = [metric.score(f.valid, m.predict(f.valid)) for f, m in zip(folds, mixed, strict=True)]
        candidate = mixture_of(*parts, share)
        yield Choice(candidate, candidate.start, tuple(scores))


def mixture_of(counts: Choice, network: Choice, share: float) -> Candidate:
    """Return a candidate that fits both and mixes them."""
    settings = {**counts.settings, **network.settings, "share": share}

    def fit(rows: Columns, _: Hyperparameters, seed: int, report: Report = ignore) -> Trained:
        simple = counts.candidate.fit(rows, counts.settings, seed)
        return mix(simple, network.candidate.fit(rows, network.settings, seed, report), share)

    return Candidate("mixture", settings, fit, quantise=quantise)


def mix(counts: Any, network: Any, share: float) -> Trained:
    """Return the mixture of two fitted candidates."""
    from .network import Mixture  # noqa: PLC0415  PyTorch takes seconds to import

    return Trained(Mixture(counts.network, network.network, share), counts.catalogue)
