"""The served model: passages for a question, and an answer in their own sentences or a refusal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns
from ..frozen import Frozen
from .params import LLM
from .retrieve import SIGNALS, Found, Retriever
from .sentences import split_sentences
from .tracing import describe, describe_answers, open_span

DETAILS = "model.json"
EXTRACTIVE = "extractive"  # how `by` begins for a quoted answer
PARTS = ("document", "title", "page", "link", "language", "topic", "text")
"""What predictions have of each passage."""


class Details(Frozen):
    """What the served model needs, apart from encoder and index."""

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
    llm: LLM = LLM()
    """The language model that writes answers, if there is one."""

    def confidence(self, signals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probability that passages answer a question, (rows,).

        signals: (rows, signals).
        """
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

        similarities, and texts of `PARTS`: (rows, passages), the best first; signals: (rows,
        signals); confidence; refused; answer: sentences, one a line, and empty where it is refused;
        cited: the indices of the passages of each sentence, a line for each; by: who wrote
        them; usd: what a language model cost; tokens: how many it read and wrote.
        """
        questions = rows["question"].tolist()
        found = [*map(self._find, questions)]
        signals = np.array([hit.signals for hit in found]).reshape(-1, len(SIGNALS))
        confidence = self.details.confidence(signals)
        refused = confidence < self.details.threshold
        pairs = zip(questions, found, refused, strict=True)
        answers = ["" if no else self._quote(question, hit) for question, hit, no in pairs]
        predicted = {
            **self._passages(found),
            "signals": signals.astype(np.float32),
            "confidence": confidence.astype(np.float32),
            "refused": refused,
            "answer": np.array(answers, object),
            "cited": np.array(["\n".join("0" for _ in a.splitlines()) for a in answers], object),
            "by": np.array([EXTRACTIVE] * len(answers), object),
            "usd": np.zeros(len(answers), np.float32),
            "tokens": np.zeros(len(answers), np.int64),
        }
        describe_answers(questions, predicted)
        return predicted

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

    def _find(self, question: str) -> Found:
        """Find passages, with a span that has them as documents."""
        with open_span("search", "RETRIEVER") as span:
            found = self.retriever.find(question)
            if span.is_recording():
                passages = self.retriever.index.passages(found.passages)
                documents = [
                    {
                        "page_content": passages[number].text,
                        "metadata": {"doc_uri": passages[number].document},
                    }
                    for number in found.passages
                ]
                describe(span, inputs={"question": question}, outputs=documents)
        return found

    def _passages(self, found: Sequence[Found]) -> Columns:
        """Return the parts of passages and their similarities, (rows, passages)."""
        index = self.retriever.index
        shape = (len(found), min(self.details.passages, index.documents))
        numbers = [number for hit in found for number in hit.passages]
        passages = index.passages({*numbers})
        columns = {
            part: np.array(
                [getattr(passages[number], part) for number in numbers],
                np.int64 if part == "page" else object,
            )
            for part in PARTS
        }
        similarities = [value for hit in found for value in hit.similarities]
        columns["similarity"] = np.array(similarities, np.float32)
        return {name: values.reshape(shape) for name, values in columns.items()}

    def _quote(self, question: str, found: Found) -> str:
        """Return the sentences of the best passage that are nearest to the question.

        They follow each other, one a line.
        """
        best = found.passages[0]
        sentences = split_sentences(self.retriever.index.passages([best])[best].text)
        count = self.details.sentences
        if len(sentences) <= count:
            return "\n".join(sentences)
        vectors = self.retriever.encoder.embed([question, *sentences])
        sums = np.convolve(vectors[1:] @ vectors[0], np.ones(count), "valid")
        start = int(sums.argmax())
        return "\n".join(sentences[start : start + count])


def is_quoted(predictions: Columns) -> NDArray[np.bool_]:
    """Return whether each answer is quoted, not written, (rows,)."""
    return np.array([str(by).startswith(EXTRACTIVE) for by in predictions["by"]], np.bool_)
