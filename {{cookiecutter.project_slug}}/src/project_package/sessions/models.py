"""The candidates: the household's popular items, items bought together, and a recurrent network."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Trial

from ..bundle import Files, sha256
from ..columns import Columns, concatenate, length, take
from ..contract.training import Candidate, Hyperparameters, Report, ignore
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

        from .fit import pieces  # noqa: PLC0415

        parts = []
        for part in pieces(rows, np.arange(length(rows)), ROWS_AT_ONCE):
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


@dataclass(frozen=True)
class Quantised:
    """A network with int8 embeddings."""

    graph: bytes
    trained: Trained

    def predict(self, rows: Columns) -> Columns:
        """Return what the loaded model does."""
        return model_of(self.graph, self.trained.catalogue).predict(rows)

    def files(self) -> Files:
        """Return the files of the network with the smaller graph."""
        return {**self.trained.files(), GRAPH: self.graph}


def quantise(trained: Trained, _: Columns) -> Quantised:
    """Quantise the embeddings only.

    Int8 matrix products have one scale for a batch, so an answer would depend on the other rows.
    """
    from ..int8 import dynamic_int8  # noqa: PLC0415  it takes a second to import

    return Quantised(dynamic_int8(trained.graph, ["Gather"]), trained)


def baskets_of(rows: Columns) -> Iterator[tuple[str, Items]]:
    """Yield the baskets in rows, those to predict too, each with its household."""
    columns = (rows[name] for name in (HOUSEHOLD, "baskets", "bought"))
    for household, earlier, bought in zip(*columns, strict=True):
        for basket in (*earlier, bought):
            yield household, basket


def catalogue_of(rows: Columns, least: int) -> Catalogue:
    """Return the items that so many households bought, those of most households first.

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
        run = Run(
            options=params.network,
            catalogue=catalogue,
            counts=popularity(rows, catalogue),
            rows=take(rows, ~held_out),
            held_out=take(rows, held_out),
            seed=seed,
            checkpoint=root / "checkpoints" / f"{identity(rows, settings, params, seed)}.pt",
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


def identity(rows: Columns, settings: Hyperparameters, params: SessionsParams, seed: int) -> str:
    """Return a name for rows, settings and code, by which a training is found again."""
    code = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    text = f"{sorted(settings.items())} {params.network} {params.data.min_households} {seed}"
    bought = "\n".join(chain.from_iterable((who, *basket) for who, basket in baskets_of(rows)))
    days = str(rows["days"].tolist())
    return sha256(code + f"{text} {bought} {days}".encode())[:16]
