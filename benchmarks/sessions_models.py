"""The models that `sessions_quality` compares: the project's own, and TIFU-KNN.

A seed draws the first weights of the network and the order of its batches.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tifu_knn import TifuKnn, strongest

from project_package.contract.training import Choice, Splits
from project_package.sessions.metrics import METRICS
from project_package.sessions.mixture import mixtures
from project_package.sessions.models import candidates, quantise
from project_package.sessions.params import SessionsParams

SEEDS = (1, 2, 3)
"""Layers and settings of the network were chosen with seeds 7 and 8."""
COUNTS, TIFU = "counts", "TIFU-KNN"
NETWORK, MIXTURE, INT8 = "network", "mixture", "mixture, int8"


@dataclass(frozen=True)
class Run:
    """The models of a seed, and the processor minutes of the network's fit."""

    network: Any
    mixture: Any
    small: Any
    share: float
    minutes: float


@dataclass(frozen=True)
class Fits:
    """The fitted models: the counts, TIFU-KNN, and those of each seed."""

    counts: Any
    rival: TifuKnn
    runs: list[Run]

    def models(self) -> Mapping[str, list[Any]]:
        """Return the models by name, those with a network one for each seed."""
        return {
            COUNTS: [self.counts],
            TIFU: [self.rival],
            NETWORK: [run.network for run in self.runs],
            MIXTURE: [run.mixture for run in self.runs],
            INT8: [run.small for run in self.runs],
        }

    def costs(self) -> Mapping[str, tuple[Any, float]]:
        """Return the project's models of the first seed, with the minutes of the fit."""
        first = self.runs[0]
        return {
            COUNTS: (self.counts, 0.0),
            NETWORK: (first.network, first.minutes),
            MIXTURE: (first.mixture, first.minutes),
            INT8: (first.small, first.minutes),
        }


def fit_all(splits: Splits, params: SessionsParams) -> Fits:
    """Fit every model on the training rows, with the settings that are best on the folds."""
    simple = candidates(params, Path())[0]
    counts = simple.fit(splits.train, simple.start, 0)
    rival = strongest(splits, params.data.min_households)
    with TemporaryDirectory() as folder:
        runs = [fit_seed(splits, params, seed, Path(folder)) for seed in SEEDS]
    return Fits(counts, rival, runs)


def fit_seed(splits: Splits, params: SessionsParams, seed: int, root: Path) -> Run:
    """Fit the network and the best mixture on the folds, as `ml train` does."""
    known = [Choice(one, one.start, ()) for one in candidates(params, root)]
    network = known[1].candidate
    start = time.process_time()
    model = network.fit(splits.train, network.start, seed)
    minutes = (time.process_time() - start) / 60
    best = max(mixtures(seed, splits.folds, METRICS[0], known), key=lambda choice: choice.score)
    mixture: Any = best.candidate.fit(splits.train, best.settings, seed)
    share = float(best.settings["share"])
    return Run(model, mixture, quantise(mixture, splits.train), share, minutes)
