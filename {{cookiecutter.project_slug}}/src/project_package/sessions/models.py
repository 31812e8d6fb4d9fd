"""The candidates: counts of what the household bought, and a recurrent network."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Trial

from .. import checkpoints
from ..bundle import Files, code_of
from ..columns import Columns, concatenate, length, take
from ..contract.training import Candidate, Fitted, Hyperparameters, Report, ignore
from ..errors import UserError
from ..onnx_runtime import GRAPH, ROWS_AT_ONCE
from .features import HOUSEHOLD, Items
from .params import SessionsParams
from .task import BASKETS_READ, Catalogue, model_of

LAYERS = "layers.txt"
COUNTS = "counts"
NETWORK = "gru"


@dataclass(frozen=True)
class Trained:
    """A module of `network`, and the items that it knows."""

    network: Any
    catalogue: Catalogue

    def predict(self, rows: Columns) -> Columns:
        """Return the best items and their scores: see `Catalogue.rank`."""
        import torch  # noqa: PLC0415  it takes seconds

        from .fit import batches_of  # noqa: PLC0415

        parts = []
        for part in batches_of(rows, np.arange(length(rows)), ROWS_AT_ONCE):
            inputs = map(torch.from_numpy, self.catalogue.encode(part).values())
            with torch.no_grad():
                scores = self.network(*inputs).numpy()
            parts.append(self.catalogue.rank(part, {"scores": scores}))
        return concatenate(parts)

    @cached_property
    def graph(self) -> bytes:
        """The network in ONNX; the export takes five seconds."""
        from .network import to_onnx  # noqa: PLC0415  PyTorch takes seconds to import

        return to_onnx(self.network, len(self.catalogue.items))

    def files(self) -> Files:
        """Return graph, catalogue and, to read, the layers."""
        layers = {LAYERS: f"{self.network}\n".encode()}
        return {GRAPH: self.graph, **layers, **self.catalogue.files()}


def quantise(trained: Trained, _: Columns) -> Fitted:
    """Quantise the embeddings only.

    Int8 matrix products have one scale for a batch, so an answer would depend on the other rows.
    """
    from ..int8 import Quantised, dynamic_int8  # noqa: PLC0415  it takes a second to import

    files = trained.files()
    graph = dynamic_int8(files[GRAPH], ["Gather"])
    return Quantised(graph, {LAYERS: files[LAYERS]}, trained.catalogue, model_of)


def baskets_of(rows: Columns) -> Iterator[tuple[str, Items]]:
    """Yield the baskets that the network reads, and those to predict, each with its household."""
    columns = (rows[name] for name in (HOUSEHOLD, "baskets", "bought"))
    for household, earlier, bought in zip(*columns, strict=True):
        for basket in (*earlier[-BASKETS_READ:], bought):
            yield household, basket


def catalogue_of(rows: Columns, least: int, half_life: float = Catalogue.half_life) -> Catalogue:
    """Return the items bought by at least `least` households, those of most households first.

    Purchases lose half of their weight in `half_life` days.

    Raises:
        UserError: there are none.
    """
    counts = Counter[str]()
    by_household = take(rows, np.argsort(rows[HOUSEHOLD], kind="stable"))
    for _, pairs in groupby(baskets_of(by_household), itemgetter(0)):
        counts.update({item for _, basket in pairs for item in basket})
    names = sorted(
        (item for item in counts if counts[item] >= least), key=lambda i: (-counts[i], i)
    )
    if not names:
        raise UserError(
            f"No item was bought by {least} households (the most are {max(counts.values())}): "
            "lower data.min_households, or use more data."
        )
    return Catalogue(tuple(names), half_life)


def popularity(rows: Columns, catalogue: Catalogue) -> NDArray[Any]:
    """Count how often each item of a catalogue was bought: (items,)."""
    counts = Counter(chain.from_iterable(basket for _, basket in baskets_of(rows)))
    return np.array([counts[item] for item in catalogue.items], np.float64)


def candidates(params: SessionsParams, root: Path) -> tuple[Candidate, ...]:
    """Return the candidates; checkpoints of the network are in a folder of the project."""
    least = params.data.min_households

    def fit_counts(rows: Columns, settings: Hyperparameters, *_: object) -> Trained:
        from .network import Counts  # noqa: PLC0415  PyTorch takes seconds to import

        catalogue = catalogue_of(rows, least, float(settings["half_life"]))
        bought = popularity(rows, catalogue)
        return Trained(Counts(bought, float(settings["prior"])), catalogue)

    def fit_network(
        rows: Columns, settings: Hyperparameters, seed: int, report: Report = ignore
    ) -> Trained:
        from .fit import Run, fit  # noqa: PLC0415  PyTorch takes seconds to import

        catalogue = catalogue_of(rows, least)
        names, household = np.unique(rows[HOUSEHOLD].astype(str), return_inverse=True)
        drawn = np.random.default_rng(seed).random(len(names)) < params.network.held_out
        held_out = drawn[household]
        key = cache_key(rows, settings, params, seed)
        run = Run(
            options=params.network,
            catalogue=catalogue,
            counts=popularity(rows, catalogue),
            rows=take(rows, ~held_out),
            held_out=take(rows, held_out),
            seed=seed,
            checkpoint=checkpoints.run_folder(root, key) / "epochs.pt",
            report=report,
        )
        return Trained(fit(settings, run), catalogue)

    usual = {"half_life": Catalogue.half_life, "prior": 50.0}
    start = {"width": 64, "dropout": 0.2, "rate": 0.01}
    return (
        Candidate(COUNTS, usual, fit_counts, counts_space),
        Candidate(NETWORK, start, fit_network, network_space, quantise),
    )


def counts_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the counts."""
    return {
        "half_life": trial.suggest_float("half_life", 7, 365, log=True),
        "prior": trial.suggest_float("prior", 1, 200, log=True),
    }


def network_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the network."""
    return {
        "width": trial.suggest_int("width", 32, 128, step=32),
        "dropout": trial.suggest_float("dropout", 0, 0.5),
        "rate": trial.suggest_float("rate", 2e-3, 2e-2, log=True),
    }


def cache_key(rows: Columns, settings: Hyperparameters, params: SessionsParams, seed: int) -> str:
    """Return the cache key of a training run: see `checkpoints`."""
    used = {name: rows[name] for name in (HOUSEHOLD, "baskets", "days", "bought")}
    options = (sorted(settings.items()), params.network, params.data.min_households, seed)
    return checkpoints.cache_key(code_of(candidates), used, options)
