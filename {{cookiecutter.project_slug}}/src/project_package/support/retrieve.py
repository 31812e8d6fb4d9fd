"""Find the passages that may answer a question, and how well they fit it."""

import re
from dataclasses import dataclass
from typing import NamedTuple
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from .encoder import TextEncoder
from .index import Index, words_of
from .rerank import Reranker
from .vectors import Vector

SIGNALS = ("similarity", "lead", "word_score", "coverage", "unknown", "names")
CANDIDATES = 300  # passages by similarity, and as many by words, of which the best are found
RERANKED = 20  # documents, if there is a reranker; no more are returned
RUNNERS_UP = 5  # passages after the best, to which its similarity is compared
INSIDE = re.compile(r"(?<=[\w,;)] )[^\W\d_]\w+")
"""A word, of two characters or more, after another one of its sentence."""


class Found(NamedTuple):
    """What was found for a question."""

    passages: list[int]
    """Numbers of the best passages, of different documents, the best first."""
    similarities: list[float]
    signals: NDArray[np.float64]
    """How well the best passage fits the question, in the order of `SIGNALS`.

    The first are its similarity, and by how much the most similar passage is ahead of the sixth.
    """


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
    reranker: Reranker | None = None

    def find(self, question: str) -> Found:
        """Return the best passages for a question."""
        embedding = self.encoder.embed([question])[0]
        candidates, by_words = self._candidates(question, embedding)
        cosines = self.index.vectors.cosines(embedding, candidates)
        similar = np.array([cosines[number].nearest for number in candidates], np.float32)
        words = np.array([by_words.get(number, 0) for number in candidates], np.float32)
        scores = self.dense * similar + self.words * words / max(words.max(), 1e-9)
        documents = [*candidates.values()]
        ranked = np.argsort(-scores, kind="stable").tolist()
        names = [*dict.fromkeys(documents[row] for row in ranked)]
        nearest = self._nearest(embedding, names[: RERANKED if self.reranker else self.count])
        passages = self._reranked(question, [*nearest])[: self.count]
        best = passages[0]
        if best not in candidates:
            by_words |= self.index.word_scores(question, [best])
        falling = np.sort(similar)[::-1]
        lead = falling[0] - falling[min(RUNNERS_UP, self.index.count - 1)]
        signals = [nearest[best], lead, *self._word_signals(question, best, by_words.get(best, 0))]
        return Found(passages, [nearest[number] for number in passages], np.array(signals))

    def _candidates(
        self, question: str, embedding: Vector
    ) -> tuple[dict[int, str], dict[int, float]]:
        """Return the documents and BM25 of passages that may be the best, by number.

        They are the most similar ones and those of the highest BM25; if these are of too few
        documents, all passages.
        """
        for count in (CANDIDATES, self.index.count):
            similar = self.index.vectors.nearest(embedding, count)
            by_words = self.index.matching(question, count)
            documents = self.index.documents_of([*similar, *by_words])
            if len({*documents.values()}) >= self.count:
                break
        others = documents.keys() - by_words.keys()
        return documents, by_words | self.index.word_scores(question, others)

    def _nearest(self, embedding: Vector, documents: list[str]) -> dict[int, float]:
        """Return the passage of each document whose own text is nearest, with its similarity.

        Passages of a document share the questions that expand it.
        """
        members = self.index.members(documents)
        cosines = self.index.vectors.cosines(embedding, members)
        rising = sorted(members, key=lambda number: (cosines[number].own, -number))
        best = {members[number]: number for number in rising}
        return {best[name]: cosines[best[name]].nearest for name in documents}

    def _reranked(self, question: str, numbers: list[int]) -> list[int]:
        """Return passages in the order of the reranker, if there is one."""
        if self.reranker is None:
            return numbers
        passages = self.index.passages(numbers)
        ranked = self.reranker.rank(question, [passages[number] for number in numbers])
        return [numbers[index] for index in ranked]

    def _word_signals(self, question: str, best: int, word_score: float) -> list[float]:
        """Return how well the words of a passage fit a question: the signals after `lead`.

        These are BM25; the share of the question's words that the passage has; the share that no
        passage has; and the share of the question's names that the passage does not have. Words
        count by their inverse document frequency, and so does BM25.
        """
        words = words_of(question)
        counts = self.index.counts(words)
        total = self.index.count
        weights = {word: np.log((total + 1) / (counts.get(word, 0) + 0.5)) for word in words}
        weight = sum(weights.values()) or 1.0
        passage = self.index.passages([best])[best]
        known = {*words_of(" ".join((passage.title, passage.text, *passage.questions)))}
        names = names_of(question)
        return [
            word_score / weight,
            sum(weights[word] for word in words if word in known) / weight,
            sum(weights[word] for word in words if word not in counts) / weight,
            sum(name not in known for name in names) / max(len(names), 1),
        ]


def names_of(question: str) -> list[str]:
    """Return the names in a question, in lower case: words with a capital inside a sentence.

    A question in capitals only has none: they say nothing there.
    """
    inside = [] if question.isupper() else INSIDE.findall(normalize("NFC", question))
    return words_of(" ".join(word for word in inside if word[0].isupper()))
