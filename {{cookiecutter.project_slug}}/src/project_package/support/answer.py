"""The served model: passages for a question, and an answer in their own sentences or a refusal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..bundle import Files
from ..columns import Columns
from ..frozen import Frozen
from .params import Generate
from .retrieve import SIGNALS, Found, Retriever
from .sentences import split_sentences

DETAILS = "model.json"
EXTRACTIVE = "extractive"  # who wrote an answer: nobody, it is quoted
PARTS = {
    "document": object,
    "title": object,
    "page": np.int64,
    "link": object,
    "language": object,
    "topic": object,
    "text": object,
}
"""What predictions have of each passage, with the type of the column."""


class Details(Frozen):
    """What the served model needs beside encoder and index."""

    tokens: int
    """That the encoder reads of a text."""
    dense: float
    words: float
    passages: int
    sentences: int
    weights: tuple[float, ...] = (0.0,) * len(SIGNALS)
    """Of the signals, in the logistic regression of whether the passages answer the question."""
    intercept: float = 0.0
    threshold: float = 0.0
    """The confidence from which a question is answered."""
    generate: Generate = Generate()
    """The language model that writes answers, if there is one."""

    def files(self) -> Files:
        """Return the file for a bundle."""
        return {DETAILS: self.model_dump_json(indent=2).encode()}

    def confidence(self, signals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability that passages answer a question, (rows,); signals: (rows, 5)."""
        log_odds = signals @ np.array(self.weights) + self.intercept
        chances: NDArray[np.float64] = 1 / (1 + np.exp(-log_odds))
        return chances


@dataclass(frozen=True)
class AnswerModel:
    """Finds passages, decides whether they answer the question, and quotes the best one."""

    retriever: Retriever
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return what was found for the column `question`, and the answers, (rows,) or as said.

        similarities, and texts of `PARTS`: (rows, passages), the best first; signals: (rows, 5);
        confidence; refused; answer: sentences, one a line, and empty where it is refused; cited:
        the indices of the passages of each sentence, one line for each; by: who wrote them.
        """
        questions = rows["question"].tolist()
        found = [self.retriever.find(question) for question in questions]
        signals = np.array([one.signals for one in found]).reshape(-1, len(SIGNALS))
        confidence = self.details.confidence(signals)
        refused = confidence < self.details.threshold
        pairs = zip(questions, found, refused, strict=True)
        answers = ["" if no else self._quote(question, one) for question, one, no in pairs]
        return {
            **self._passages(found),
            "signals": signals.astype(np.float32),
            "confidence": confidence.astype(np.float32),
            "refused": refused,
            "answer": np.array(answers, object),
            "cited": np.array(["\n".join("0" for _ in a.splitlines()) for a in answers], object),
            "by": np.array([EXTRACTIVE] * len(answers), object),
        }

    def steps(self, rows: Columns) -> Mapping[str, Columns]:
        """Return what was found, the signals by name, and the decision with its threshold."""
        predicted = self.predict(rows)
        threshold = np.full(len(predicted["refused"]), self.details.threshold)
        decision = {name: predicted[name] for name in ("confidence", "refused")}
        return {
            "found": {name: predicted[name] for name in ("document", "similarity")},
            "signals": dict(zip(SIGNALS, predicted["signals"].T, strict=True)),
            "decision": {**decision, "threshold": threshold},
        }

    def _passages(self, found: Sequence[Found]) -> Columns:
        """Return the parts of passages and their similarities, (rows, passages)."""
        passages = self.retriever.index.passages
        documents = {passage.document for passage in passages}
        shape = (len(found), min(self.details.passages, len(documents)))
        numbers = [number for one in found for number in one.passages]
        columns = {
            part: np.array([getattr(passages[number], part) for number in numbers], kind)
            for part, kind in PARTS.items()
        }
        similarities = [value for one in found for value in one.similarities]
        columns["similarity"] = np.array(similarities, np.float32)
        return {name: values.reshape(shape) for name, values in columns.items()}

    def _quote(self, question: str, found: Found) -> str:
        """Return the sentences of the best passage that are nearest to the question.

        They follow each other, one a line.
        """
        sentences = split_sentences(self.retriever.index.passages[found.passages[0]].text)
        count = self.details.sentences
        if len(sentences) <= count:
            return "\n".join(sentences)
        vectors = self.retriever.encoder.embed([question, *sentences])
        sums = np.convolve(vectors[1:] @ vectors[0], np.ones(count), "valid")
        start = int(sums.argmax())
        return "\n".join(sentences[start : start + count])
