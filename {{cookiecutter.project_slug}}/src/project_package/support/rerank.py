"""Rank passages again by a cross-encoder in ONNX, which reads question and passage together."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .encoder import TokenGraph
from .index import Passage

RERANKER = "reranker"  # the large file of a bundle with the graph
RERANKER_TOKENIZER = "reranker.json"
TOKENS = 512  # of a pair


class Reranker:
    """A graph that returns `logits` of a pair of texts, as cross-encoders do."""

    def __init__(self, graph: Path, tokenizer: bytes) -> None:
        """Load graph and tokenizer, as `TokenGraph`."""
        self.graph = graph
        self.tokenizer = tokenizer
        self._graph = TokenGraph(graph.read_bytes(), tokenizer, TOKENS, "logits")

    def rank(self, question: str, passages: Sequence[Passage]) -> list[int]:
        """Return the indices of passages, the best first: by the last of their logits."""
        texts = [f"{passage.title} {passage.text}" for passage in passages]
        scores = np.array([self._graph.run(question, text).ravel()[-1] for text in texts])
        ranked: list[int] = np.argsort(-scores, kind="stable").tolist()
        return ranked
