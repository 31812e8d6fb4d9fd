"""Find the passages that may answer a question, and how well they fit it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .encoder import TextEncoder
from .index import Index, Scores, words_of

SIGNALS = ("similarity", "lead", "word_score", "coverage", "unknown")
RUNNERS_UP = 5  # passages after the best, to which its similarity is compared


class Found(NamedTuple):
    """What was found for a question."""

    passages: list[int]
    """Numbers of the best passages, of different documents, falling."""
    similarities: list[float]
    signals: NDArray[np.float64]
    """How well the best passage fits the question, in the order of `SIGNALS`."""


@dataclass(frozen=True)
class Retriever:
    """Ranks passages by the similarity of embeddings, by words (BM25), or by both."""

    encoder: TextEncoder
    index: Index
    dense: float
    """How much the cosine counts."""
    words: float
    """How much BM25 counts, as a share of the highest for the question."""
    count: int
    """How many passages are returned."""

    def find(self, question: str) -> Found:
        """Return the best passages for a question."""
        similar, own = self.index.similarities(self.encoder.embed([question])[0])
        by_words = self.index.word_scores(question)
        scores = self.dense * similar + self.words * by_words / max(by_words.max(), 1e-9)
        best = [self._nearest(number, own) for number in self._different(scores)]
        signals = self._signals(question, best[0], similar, by_words)
        return Found(best, similar[best].tolist(), signals)

    def _different(self, scores: Scores) -> list[int]:
        """Return the best passages of different documents."""
        best: dict[str, int] = {}
        for number in np.argsort(-scores, kind="stable").tolist():
            best.setdefault(self.index.passages[number].document, number)
            if len(best) == self.count:
                break
        return [*best.values()]

    def _nearest(self, number: int, own: Scores) -> int:
        """Return the passage of the same document whose own text is nearest to the question.

        Passages of a document share the questions that expand it.
        """
        return max(self.index.passages_of(number), key=own.__getitem__)

    def _signals(
        self, question: str, best: int, similar: Scores, by_words: Scores
    ) -> NDArray[np.float64]:
        """Return how well a passage fits a question, in the order of `SIGNALS`.

        These are its similarity, by how much the most similar passage is ahead of the sixth, BM25,
        and the shares of the question's words that the passage has, and that no passage has. Words
        count by their inverse document frequency, and so does BM25.
        """
        words = words_of(question)
        counts = self.index.counts(words)
        total = len(self.index.passages)
        weights = {word: np.log((total + 1) / (counts.get(word, 0) + 0.5)) for word in words}
        weight = sum(weights.values()) or 1.0
        passage = self.index.passages[best]
        known = {*words_of(" ".join((passage.title, passage.text, *passage.questions)))}
        falling = np.sort(similar)[::-1]
        return np.array(
            [
                similar[best],
                falling[0] - falling[min(RUNNERS_UP, total - 1)],
                by_words[best] / weight,
                sum(weights[word] for word in words if word in known) / weight,
                sum(weights[word] for word in words if word not in counts) / weight,
            ]
        )
