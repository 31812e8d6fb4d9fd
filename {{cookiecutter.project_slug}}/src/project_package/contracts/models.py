"""The candidates: words, and a language model, frozen or fine-tuned."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Trial
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from .. import checkpoints
from ..bundle import Files, code_of
from ..columns import Columns
from ..contract.training import Candidate, Fitted, Hyperparameters, Outcome, Report, ignore
from ..onnx_runtime import GRAPH
from . import tfidf
from .classify_and_explain import Details
from .params import ContractsParams, Network
from .task import model_of
from .tokens import TOKENIZER, load_tokenizer, tokenizer_file

LAYERS = "layers.txt"


@dataclass(frozen=True)
class LanguageModel:
    """A trained network, its tokenizer, and the types."""

    network: Any
    tokenizer: bytes
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return what `Details.decide` does."""
        from .fit import predict  # noqa: PLC0415  PyTorch takes seconds to import

        ids = token_ids(self.tokenizer, self.details.tokens, rows["text"])
        return self.details.decide(predict(self.network, ids))

    @cached_property
    def graph(self) -> bytes:
        """The network in ONNX; the export takes ten seconds."""
        from .encoder import to_onnx  # noqa: PLC0415  PyTorch takes seconds to import

        return to_onnx(self.network)

    def files(self) -> Files:
        """Return graph, tokenizer, details and, to read, the layers."""
        texts = {TOKENIZER: self.tokenizer, LAYERS: f"{self.network}\n".encode()}
        return {GRAPH: self.graph, **texts, **self.details.files()}


def token_ids(tokenizer: bytes, tokens: int, texts: NDArray[Any]) -> list[list[int]]:
    """Return the ids of each text."""
    loaded = load_tokenizer(tokenizer, tokens)
    loaded.no_padding()
    return [encoding.ids for encoding in loaded.encode_batch(texts.tolist())]


def quantise(trained: LanguageModel, _: Columns) -> Fitted:
    """Quantise weights, and activations while the graph runs."""
    from ..int8 import Quantised, dynamic_int8  # noqa: PLC0415  it takes a second to import

    files = trained.files()
    others = {name: files[name] for name in (LAYERS, TOKENIZER)}
    load = partial(_load, trained.tokenizer)
    return Quantised(dynamic_int8(files[GRAPH]), others, trained.details, load)


def _load(tokenizer: bytes, graph: bytes, details: Details) -> Any:
    return model_of(graph, details, tokenizer)


def candidates(params: ContractsParams, root: Path) -> tuple[Candidate, ...]:
    """Return the candidates; checkpoints of the network are in a folder of the project."""
    options = params.network
    known: dict[tuple[int, ...], NDArray[Any]] = {}  # folds and the final fit share clauses

    def fit_frozen(rows: Columns, settings: Hyperparameters, *_: object) -> LanguageModel:
        from .encoder import load  # noqa: PLC0415  PyTorch takes seconds to import
        from .fit import embed  # noqa: PLC0415

        types, kinds = np.unique(rows["type"].astype(str), return_inverse=True)
        tokenizer = tokenizer_file(options)
        network = load(replace_quantised(options), len(types)).eval()
        ids = [*map(tuple, token_ids(tokenizer, options.tokens, rows["text"]))]
        if new := [text for text in ids if text not in known]:
            known.update(zip(new, embed(network, new), strict=True))
        embeddings = np.stack([known[text] for text in ids])
        linear = LogisticRegression(**settings, class_weight="balanced", max_iter=3_000)
        network.set_output(linear.fit(embeddings, kinds))
        return LanguageModel(network, tokenizer, details_of(types, options))

    def fit_adapters(
        rows: Columns, settings: Hyperparameters, seed: int, report: Report = ignore
    ) -> LanguageModel:
        from .fit import Run, fit  # noqa: PLC0415  PyTorch takes seconds to import

        types, kinds = np.unique(rows["type"].astype(str), return_inverse=True)
        owners, owner = np.unique(rows["owner"].astype(str), return_inverse=True)
        drawn = np.random.default_rng(seed).random(len(owners)) < options.held_out
        tokenizer = tokenizer_file(options)
        key = cache_key(rows, settings, params, seed)
        run = Run(
            options=options,
            ids=token_ids(tokenizer, options.tokens, rows["text"]),
            types=kinds,
            held_out=drawn[owner],
            count=len(types),
            seed=seed,
            checkpoint=checkpoints.run_folder(root, key) / "epochs.pt",
            report=report,
        )
        return LanguageModel(fit(settings, run), tokenizer, details_of(types, options))

    return (
        tfidf.BASELINE,
        Candidate("frozen", {"C": 1.0}, fit_frozen, frozen_space),
        Candidate("lora", {"rate": 2e-3}, fit_adapters, lora_space, quantise),
    )


def replace_quantised(options: Network) -> Network:
    """Return the options of a network that is not fine-tuned."""
    return options.model_copy(update={"quantised": False})


def details_of(types: NDArray[Any], options: Network) -> Details:
    """Return the details of a language model."""
    return Details(types=tuple(types.tolist()), inputs="tokens", tokens=options.tokens)


def frozen_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the logistic regression."""
    return {"C": trial.suggest_float("C", 0.1, 10, log=True)}


def lora_space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the fine-tuning."""
    return {"rate": trial.suggest_float("rate", 5e-4, 5e-3, log=True)}


def cache_key(rows: Columns, settings: Hyperparameters, params: ContractsParams, seed: int) -> str:
    """Return the cache key of a training run: see `checkpoints`."""
    used = {name: rows[name] for name in ("text", "type", "owner")}
    return checkpoints.cache_key(
        code_of(candidates), used, (sorted(settings.items()), params.network, seed)
    )


def finish(params: ContractsParams, fitted: Any, _: Columns, validation: Outcome) -> Fitted:
    """Choose temperature and threshold on the validation clauses."""
    types = fitted.details.types
    known = np.isin(validation.rows["type"].astype(str), types)
    logits = np.log(np.maximum(validation.predictions["probabilities"][known], 1e-12))
    right = validation.rows["type"][known]
    details = fitted.details.model_copy(update={"temperature": temperature(logits, right, types)})
    decided = details.decide(logits)
    limit = threshold(decided["confidence"], decided["type"] != right, params.decide.error_rate)
    finished: Fitted = replace(fitted, details=details.model_copy(update={"threshold": limit}))
    return finished


def temperature(logits: NDArray[Any], right: NDArray[Any], types: tuple[str, ...]) -> float:
    """Return the temperature with the least log loss (Guo et al. 2017)."""

    def loss(exponent: float) -> float:
        details = Details(types=types, inputs="text", temperature=float(np.exp(exponent)))
        return float(log_loss(right, details.decide(logits)["probabilities"], labels=[*types]))

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def threshold(confidence: NDArray[Any], wrong: NDArray[np.bool_], error_rate: float) -> float:
    """Return the lowest confidence from which at most this share of the answers is wrong."""
    falling = np.argsort(-confidence, kind="stable")
    shares = np.cumsum(wrong[falling]) / np.arange(1, len(falling) + 1)
    allowed = np.flatnonzero(shares <= error_rate)
    if not len(allowed):
        return 1.0
    last = allowed[-1]
    following = confidence[falling[min(last + 1, len(falling) - 1)]]
    return float(confidence[falling[last]] + following) / 2
