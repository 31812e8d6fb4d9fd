"""Embed texts with a sentence encoder in ONNX."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ..columns import Columns
from ..onnx_runtime import OnnxModel

ENCODER = "encoder"  # the large file of a bundle with the graph
TOKENIZER = "tokenizer.json"
Embeddings = NDArray[np.float32]


class TextEncoder(Protocol):
    """Something that embeds texts."""

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Return embeddings of length one, (texts, dimensions)."""


class Encoder:
    """A graph that returns a state of each token, as those of sentence-transformers do."""

    def __init__(self, graph: bytes, tokenizer: bytes, tokens: int) -> None:
        """Load graph and tokenizer; more tokens of a text are not read.

        Raises:
            ModelError: ONNX Runtime cannot run the graph.
        """
        self.tokenizer = Tokenizer.from_buffer(tokenizer)
        self.tokenizer.enable_truncation(tokens)
        self.tokenizer.no_padding()
        self._model = OnnxModel(graph, lambda rows: rows)

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Return embeddings of length one, (texts, dimensions): the mean of a text's states.

        Texts are embedded one by one: in a batch, an embedding could depend on the texts beside it.
        """
        means = [self._states(text).mean(axis=0) for text in texts]
        return np.array([mean / np.linalg.norm(mean) for mean in means], np.float32)

    def _states(self, text: str) -> NDArray[np.float32]:
        ids = np.array([self.tokenizer.encode(text).ids], np.int64)
        inputs: Columns = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        states: NDArray[np.float32] = self._model.predict(inputs)["last_hidden_state"][0]
        return states
