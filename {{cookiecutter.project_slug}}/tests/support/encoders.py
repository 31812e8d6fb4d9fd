"""An encoder for the tests, which knows a few words and what they mean."""

from collections.abc import Sequence

import numpy as np

from project_package.support.encoder import Embeddings

MEANINGS = {
    "fence": 0,
    "hedge": 0,
    "price": 1,
    "cost": 1,
    "roof": 2,
    "tiles": 2,
}


class WordEncoder:
    """Embeds the sum of the meanings of words; `asked` has every text that it embedded."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Return embeddings of length one, (texts, 4); the last dimension is what all share."""
        self.asked += texts
        vectors = np.zeros((len(texts), 4), np.float32)
        vectors[:, 3] = 0.1
        for row, text in enumerate(texts):
            for word in text.lower().replace("?", "").replace(".", "").split():
                if word in MEANINGS:
                    vectors[row, MEANINGS[word]] += 1
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / lengths, np.float32)
