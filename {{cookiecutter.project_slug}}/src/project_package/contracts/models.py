"""The candidates: words, a language model, frozen or fine-tuned."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Trial
from sklearn.linear_model import LogisticRegression

from .. import checkpoints
from ..bundle import Contents, code_of
from ..columns import Columns
from ..contract.training import (
    Candidate,
    Fitted,
    Hyperparameters,
    Report,
    ignore,
)
from ..errors import UserError
from ..onnx_runtime import GRAPH
from . import tfidf
from .classify_and_explain import ClauseModel, Details
from .params import ContractsParams, Network
from .task import model_of
from .tokens import TOKENIZER, load_tokenizer, token_ids

TFIDF = "tfidf"
LORA = "lora"
LAYERS = "layers.txt"


@dataclass(frozen=True)
class LanguageModel:
    """A trained network, its tokenizer, and how many tokens it reads."""

    network: Any
    tokenizer: bytes
    tokens: int
    folder: Path
    """Where weights are saved that are too many for a graph."""

    def probabilities(self, rows: Columns) -> NDArray[np.float32]:
        """Return the probability of each type, (rows, types)."""
        from .fit import predict  # noqa: PLC0415  PyTorch takes seconds to import

        tokenizer = load_tokenizer(self.tokenizer, self.tokens)
        return predict(self.network, token_ids(tokenizer, rows["text"]))

    @cached_property
    def exported(self) -> Contents:
        """The network in ONNX; the export takes ten seconds."""
        from .encoder import to_onnx  # noqa: PLC0415  PyTorch takes seconds to import

        return to_onnx(self.network, self.folder)

    def files(self) -> Contents:
        """Return graph, tokenizer and, to read, the layers."""
        layers = f"{self.network}\n".encode()
        return {**self.exported, TOKENIZER: self.tokenizer, LAYERS: layers}


@dataclass(frozen=True)
class Trained:
    """Trained models, whose probabilities are averaged."""

    models: tuple[tfidf.WordModel | LanguageModel, ...]
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return what `Details.decide` does."""
        return self.details.decide(np.mean([m.probabilities(rows) for m in self.models], axis=0))

    def files(self) -> Contents:
        """Return those of the models, and the details."""
        parts = [*(model.files() for model in self.models), self.details.files()]
        return {name: content for part in parts for name, content in part.items()}


def quantise(trained: Trained, _: Columns) -> Fitted:
    """Quantise weights of the language model, and activations while the graph runs."""
    from ..int8 import Quantised, dynamic_int8  # noqa: PLC0415  it takes a second to import

    files: dict[str, Any] = {**trained.files()}
    others = {name: files[name] for name in files.keys() - {GRAPH, *trained.details.files()}}

    def load(graph: bytes, details: Details) -> ClauseModel:
        return model_of({GRAPH: graph, **others, **details.files()})

    return Quantised(dynamic_int8(files[GRAPH]), others, trained.details, load)


def fit_words(rows: Columns, settings: Hyperparameters, *_: object) -> Trained:
    """Fit the simple baseline."""
    types = np.unique(rows["type"].astype(str))
    return Trained((tfidf.fit(rows, settings),), details_of(types))


def candidates(params: ContractsParams, root: Path) -> tuple[Candidate, ...]:
    """Return the candidates; checkpoints of the network are in a folder of the project."""
    options = params.network
    weights = checkpoints.run_folder(root, "weights")
    known: dict[tuple[int, ...], NDArray[Any]] = {}  # trials share embeddings

    def fit_frozen(rows: Columns, settings: Hyperparameters, *_: object) -> Trained:
        from .encoder import load  # noqa: PLC0415  PyTorch takes seconds to import
        from .fit import predict  # noqa: PLC0415
        from .hub import tokenizer_file  # noqa: PLC0415

        types, kinds = np.unique(rows["type"].astype(str), return_inverse=True)
        tokenizer = tokenizer_file(options)
        network = load(options, len(types)).eval()
        loaded = load_tokenizer(tokenizer, options.tokens)
        ids = [*map(tuple, token_ids(loaded, rows["text"]))]
        if new := [text for text in ids if text not in known]:
            known.update(zip(new, predict(network.embed, new), strict=True))
        embeddings = np.stack([known[text] for text in ids])
        linear = LogisticRegression(**settings, class_weight="balanced", max_iter=3_000)
        network.set_output(linear.fit(embeddings, kinds))
        model = LanguageModel(network, tokenizer, options.tokens, weights)
        return Trained((model,), details_of(types, options))

    def fit_adapters(
        rows: Columns, settings: Hyperparameters, seed: int, report: Report = ignore
    ) -> Trained:
        from .fit import Run, fit  # noqa: PLC0415  PyTorch takes seconds to import
        from .hub import tokenizer_file  # noqa: PLC0415

        types, kinds = np.unique(rows["type"].astype(str), return_inverse=True)
        tokenizer = tokenizer_file(options)
        key = cache_key(rows, settings, params, seed)
        run = Run(
            options=options,
            ids=token_ids(load_tokenizer(tokenizer, options.tokens), rows["text"]),
            types=kinds,
            held_out=draw_owners(rows, options.held_out, seed),
            count=len(types),
            seed=seed,
            checkpoint=checkpoints.run_folder(root, key) / "epochs.pt",
            report=report,
        )
        model = LanguageModel(fit(settings, run), tokenizer, options.tokens, weights)
        return Trained((model,), details_of(types, options))

    return (
        Candidate(TFIDF, {"C": 10.0}, fit_words, tfidf.space),
        Candidate("frozen", {"C": 1.0}, fit_frozen, frozen_space),
        Candidate(LORA, {"rate": 2e-3}, fit_adapters, lora_space, quantise),
    )


def draw_owners(rows: Columns, share: float, seed: int) -> NDArray[np.bool_]:
    """Return whether the owner of each row is held out; raise UserError if all of them are."""
    owners, owner = np.unique(rows["owner"].astype(str), return_inverse=True)
    drawn = np.random.default_rng(seed).random(len(owners)) < share
    if drawn.all():
        raise UserError("network.held_out leaves no owner to train on: choose a smaller share.")
    held_out: NDArray[np.bool_] = drawn[owner]
    return held_out


def details_of(types: NDArray[Any], options: Network | None = None) -> Details:
    """Return the details of a model of words, or with options, of a language model."""
    return Details(types=tuple(types.tolist()), tokens=options.tokens if options else 0)


def frozen_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the logistic regression."""
    return {"C": trial.suggest_float("C", 0.1, 10, log=True)}


def lora_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the fine-tuning."""
    return {"rate": trial.suggest_float("rate", 5e-4, 5e-3, log=True)}


def cache_key(rows: Columns, settings: Hyperparameters, params: ContractsParams, seed: int) -> str:
    """Return the cache key of a training run: see `checkpoints`."""
    used = {name: rows[name] for name in ("text", "type", "owner")}
    options = sorted(settings.items()), params.network, seed
    return checkpoints.cache_key(code_of(candidates), used, options)
