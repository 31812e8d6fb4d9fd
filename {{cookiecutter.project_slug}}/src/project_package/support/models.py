"""The candidates: search by words, by the similarity of embeddings, or by both."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from inspect import getsource
from pathlib import Path

import numpy as np
from filelock import FileLock
from onnxruntime import __version__ as onnx_version
from optuna import Trial

from .. import checkpoints
from ..bundle import Contents, sha256, sha256_of_file
from ..columns import Columns, take
from ..contract.training import Candidate, Fitted, Hyperparameters
from . import encoder as encoder_module
from . import index as index_module
from . import passages as passages_module
from . import sentences as sentences_module
from .answer import DETAILS, AnswerModel, Details
from .cache import EmbeddingCache
from .dataset import sections_of
from .encoder import ENCODER, TOKENIZER, Encoder
from .generate import PROMPT
from .index import INDEX, Passage, write_index
from .model_files import encoder_files, read_folder
from .params import Encoding, SupportParams
from .passages import split_sections
from .rerank import RERANKER, RERANKER_TOKENIZER, Reranker
from .task import model_of

EMBEDDINGS = "embeddings.sqlite"
MODULES = (encoder_module, index_module, passages_module, sentences_module)
CODE = sha256("".join([onnx_version, *map(getsource, MODULES)]).encode())
"""Embeddings and indexes that other code made are not used again."""


@dataclass(frozen=True)
class Indexed:
    """An index of the documents, and how it is searched: by names, for other processes."""

    params: SupportParams
    root: Path
    index: Path
    details: Details
    reranked: bool

    @cached_property
    def model(self) -> AnswerModel:
        """The served model, with an encoder that keeps what it has embedded."""
        *_, encoder = open_encoder(self.params.encoder, self.root)
        reranker = open_reranker(self.params.passages.reranker) if self.reranked else None
        return model_of(encoder, self.index, self.details, reranker=reranker)

    def predict(self, rows: Columns) -> Columns:
        """Return what the served model does."""
        return self.model.predict(rows)

    def files(self) -> Contents:
        """Return encoder and index, the large files, and tokenizer and details."""
        graph, tokenizer, _ = open_encoder(self.params.encoder, self.root)
        large = {ENCODER: graph, INDEX: self.index}
        prompt = {PROMPT: (Path(__file__).parent / PROMPT).read_bytes()}
        details = {DETAILS: self.details.model_dump_json(indent=2).encode()}
        files: dict[str, bytes | Path] = {**large, TOKENIZER: tokenizer, **prompt, **details}
        if self.reranked:
            reranker = open_reranker(self.params.passages.reranker)
            files |= {RERANKER: reranker.graph, RERANKER_TOKENIZER: reranker.tokenizer}
        return files


@cache  # the fits of a process share it, and what it has embedded
def open_encoder(params: Encoding, root: Path) -> tuple[Path, bytes, EmbeddingCache]:
    """Return graph and tokenizer, and the encoder with the embeddings that are known."""
    graph, tokenizer = encoder_files(params)
    encoder = Encoder(graph.read_bytes(), tokenizer, params.tokens)
    name = f"{sha256_of_file(graph)} {sha256(tokenizer)} {params.tokens} {CODE}"
    file = checkpoints.run_folder(root, EMBEDDINGS)
    return graph, tokenizer, EmbeddingCache(file, encoder, name)


@cache
def open_reranker(folder: str) -> Reranker:
    """Return the cross-encoder of a folder."""
    return Reranker(*read_folder("passages.reranker", Path(folder)))


def candidates(params: SupportParams, root: Path) -> tuple[Candidate, ...]:
    """Return the candidates; indexes and known embeddings are in a folder of the project."""

    def fit(rows: Columns, settings: Hyperparameters, *_: object, reranked: bool = False) -> Fitted:
        tokenizer, encoder = open_encoder(params.encoder, root)[1:]
        documents = take(rows, rows["question"] == "")
        sections = sections_of(documents, params.passages.questions)
        passages = partial(split_sections, sections, tokenizer, int(settings["tokens"]))
        options = (settings["tokens"], params.passages.questions)
        key = checkpoints.cache_key(encoder.name.encode(), documents, options)
        index = store_index(checkpoints.run_folder(root, key) / INDEX, passages, encoder)
        details = Details(
            tokens=params.encoder.tokens,
            dense=float(settings["dense"]),
            words=float(settings["words"]),
            passages=params.passages.count,
            sentences=params.decide.sentences,
            llm=params.llm,
        )
        if reranked:
            open_reranker(params.passages.reranker)  # a wrong folder is an error here
        return Indexed(params, root, index, details, reranked)

    both = {"tokens": 256, "dense": 1.0, "words": 0.5}
    found = (
        Candidate("words", {"tokens": 256, "dense": 0.0, "words": 1.0}, fit),
        Candidate("dense", {"tokens": 256, "dense": 1.0, "words": 0.0}, fit),
        Candidate("hybrid", both, fit, hybrid_space),
    )
    if not params.passages.reranker:
        return found
    return (*found, Candidate("reranked", both, partial(fit, reranked=True), hybrid_space))


def store_index(
    path: Path, split: Callable[[], Iterable[Passage]], encoder: EmbeddingCache
) -> Path:
    """Write the index of passages, unless it is there; return its path.

    Trials and folds that differ in weights only share it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):  # of another worker of the search
        if not path.exists():
            passages = [*split()]
            texts = [(f"{part.title} {part.text}", *part.questions) for part in passages]
            known = encoder.embed([text for row in texts for text in row])
            ends = np.cumsum([*map(len, texts)])[:-1]
            checkpoints.write_checkpoint(
                path, lambda unfinished: write_index(unfinished, passages, np.split(known, ends))
            )
    return path


def hybrid_space(trial: Trial) -> Hyperparameters:
    """Suggest the tokens of a passage, and how much BM25 counts, where the cosine counts 1."""
    return {
        "tokens": trial.suggest_categorical("tokens", (64, 128, 256)),
        "dense": 1.0,
        "words": trial.suggest_float("words", 0.1, 2.0, log=True),
    }
