"""Embed texts with a sentence encoder in ONNX."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from ..errors import ModelError
from ..onnx_runtime import OnnxModel

ENCODER = "encoder"  # the large file of a bundle with the graph
TOKENIZER = "tokenizer.json"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
"""Of a graph, in the order of their values; not all graphs read types."""
Embeddings = NDArray[np.float32]


class TextEncoder(Protocol):
    """Something that embeds texts."""

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Return embeddings of length one, (texts, dimensions)."""


class TokenGraph:
    """A graph that reads the tokens of a text, or of a pair of texts."""

    def __init__(self, graph: bytes, tokenizer: bytes, tokens: int, output: str) -> None:
        """Load graph and tokenizer; more tokens are not read.

        Raises:
            ModelError: ONNX Runtime cannot run the graph, it has other inputs than tokens or not
                this output, or the tokenizer is damaged.
        """
        try:
            self.tokenizer = Tokenizer.from_buffer(tokenizer)
        except ValueError as error:
            raise ModelError(f"tokenizer.json: {error}") from None
        self.tokenizer.enable_truncation(tokens)
        self.tokenizer.no_padding()
        self._model = OnnxModel(graph, lambda rows: rows)
        self._output = output
        if output not in self._model.outputs or not {*self._model.inputs} <= {*INPUTS}:
            needed = ", ".join(INPUTS)
            raise ModelError(f"the graph must return {output}, of no other inputs than {needed}")

    def run(self, text: str, pair: str | None = None) -> NDArray[np.float32]:
        """Return the output for a text or a pair, (1, ...)."""
        encoding = self.tokenizer.encode(text, pair)
        values = (encoding.ids, encoding.attention_mask, encoding.type_ids)
        inputs = dict(zip(INPUTS, values, strict=True))
        rows = {name: np.array([inputs[name]], np.int64) for name in self._model.inputs}
        found: NDArray[np.float32] = self._model.predict(rows)[self._output]
        return found


class Encoder:
    """A graph that returns a state of each token, as those of sentence-transformers do."""

    def __init__(self, graph: bytes, tokenizer: bytes, tokens: int) -> None:
        """Load graph and tokenizer, as `TokenGraph`."""
        self._graph = TokenGraph(graph, tokenizer, tokens, "last_hidden_state")

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Return embeddings of length one, (texts, dimensions): the mean of a text's states.

        Texts are embedded one by one: in a batch, an embedding could depend on the other texts.
        """
        means = [self._graph.run(text)[0].mean(axis=0) for text in texts]
        return np.array([mean / np.linalg.norm(mean) for mean in means], np.float32)
