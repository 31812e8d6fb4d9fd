"""The candidates: the household's popular items, items bought together, and a recurrent network."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
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
from .task import Catalogue, model_of

LAYERS = "layers.txt"
HELD_OUT = 0.1
"""Share of the households on which the network is checked after each epoch."""


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

        return to_onnx(self.network)

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
    """Yield the baskets in rows, those to predict too, each with its household."""
    columns = (rows[name] for name in (HOUSEHOLD, "baskets", "bought"))
    for household, earlier, bought in zip(*columns, strict=True):
        for basket in (*earlier, bought):
            yield household, basket


def catalogue_of(rows: Columns, least: int) -> Catalogue:
    """Return the items bought by at least `least` households, those of most households first.

    Raises:
        UserError: there are none.
    """
    pairs = {(item, household) for household, basket in baskets_of(rows) for item in basket}
    names, counts = np.unique([item for item, _ in pairs], return_counts=True)
    if not (counts >= least).any():
        raise UserError(
            f"No item was bought by {least} households (the most are {max(counts)}): lower "
            "data.min_households, or use more data."
        )
    order = np.argsort(-counts, kind="stable")[: np.sum(counts >= least)]
    return Catalogue(tuple(names[order].tolist()))


def popularity(rows: Columns, catalogue: Catalogue) -> NDArray[np.int64]:
    """Count how often each item of a catalogue was bought: (items,)."""
    codes = [code for _, basket in baskets_of(rows) for code in catalogue.known(basket)]
    return np.bincount(codes)[1:]


def candidates(params: SessionsParams, root: Path) -> tuple[Candidate, ...]:
    """Return the candidates; checkpoints of the network are in a folder of the project."""
    least = params.data.min_households

    def fit_popularity(rows: Columns, *_: object) -> Trained:
        from .network import Popularity  # noqa: PLC0415  PyTorch takes seconds to import

        catalogue = catalogue_of(rows, least)
        return Trained(Popularity(popularity(rows, catalogue)), catalogue)

    def fit_cooccurrence(rows: Columns, *_: object) -> Trained:
        from .network import Cooccurrence  # noqa: PLC0415  PyTorch takes seconds to import

        catalogue = catalogue_of(rows, least)
        counts = np.zeros((len(catalogue.items),) * 2)
        for _household, basket in baskets_of(rows):
            codes = np.array(catalogue.known(basket), np.int64) - 1
            counts[codes[:, None], codes] += 1
        return Trained(Cooccurrence(counts), catalogue)

    def fit_network(
        rows: Columns, settings: Hyperparameters, seed: int, report: Report = ignore
    ) -> Trained:
        from .fit import Run, fit  # noqa: PLC0415  PyTorch takes seconds to import

        catalogue = catalogue_of(rows, least)
        names = np.unique(rows[HOUSEHOLD].astype(str))
        drawn = np.random.default_rng(seed).random(len(names))
        chosen = names[drawn <= max(HELD_OUT, drawn.min())]  # one at least
        held_out = np.isin(rows[HOUSEHOLD].astype(str), chosen)
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

    start = {"width": 64, "dropout": 0.2, "rate": 0.01}
    return (
        Candidate("popularity", {}, fit_popularity),
        Candidate("cooccurrence", {}, fit_cooccurrence),
        Candidate("gru", start, fit_network, network_space, quantise),
    )


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
