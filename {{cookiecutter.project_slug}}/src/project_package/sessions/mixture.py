"""The mixture of the counts and the network that is best on the folds."""

from collections.abc import Iterator, Sequence
from typing import Any

from ..columns import Columns
from ..contract.training import Candidate, Choice, Fold, Hyperparameters, Metric, Report, ignore
from .models import COUNTS, NETWORK, Trained, quantise

SHARES = (0.25, 0.5, 0.75)
"""Weights of the network to try. The recall is level from .4 to .7 on three origins."""


def mixtures(
    seed: int, folds: Sequence[Fold], metric: Metric, choices: Sequence[Choice]
) -> Iterator[Choice]:
    """Yield mixtures of the counts and the network, with their scores on the folds.

    They miss different items, so a mixture can have a higher recall than both.
    """
    best = {choice.candidate.name: choice for choice in choices}
    if NETWORK not in best:  # `train.candidates` leaves it out
        return
    counts, network = best[COUNTS], best[NETWORK]
    fits = [
        [one.candidate.fit(fold.train, one.settings, seed) for one in (counts, network)]
        for fold in folds
    ]
    for share in SHARES:
        models = [mix(*both, share=share) for both in fits]
        parts = zip(folds, models, strict=True)
        scores = [metric.score(fold.valid, model.predict(fold.valid)) for fold, model in parts]
        candidate = mixture_of(counts, network, share)
        yield Choice(candidate, candidate.start, tuple(scores))


def mixture_of(counts: Choice, network: Choice, share: float) -> Candidate:
    """Return a candidate that fits both and mixes them."""
    settings = {**counts.settings, **network.settings, "share": share}

    def fit(rows: Columns, _: Hyperparameters, seed: int, report: Report = ignore) -> Trained:
        simple = counts.candidate.fit(rows, counts.settings, seed)
        trained = network.candidate.fit(rows, network.settings, seed, report)
        return mix(simple, trained, share=share)

    return Candidate("mixture", settings, fit, quantise=quantise)


def mix(counts: Any, network: Any, *, share: float) -> Trained:
    """Return the weighted mean of two fitted candidates, `share` the weight of the second one."""
    from .network import Mixture  # noqa: PLC0415  PyTorch takes seconds to import

    return Trained(Mixture(counts.network, network.network, share), counts.catalogue)
