"""Answers that a language model writes from the passages that were found, if they can be checked.

Otherwise the sentences of the passages remain the answer: if the provider fails, the budget of the
day is spent, or the passages do not support a sentence.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np

from ..columns import Columns
from .answer import EXTRACTIVE, PARTS, AnswerModel
from .grounding import Cited, UngroundedError, read_citations, require_grounded
from .index import Passage
from .llm import LanguageModel, NotWrittenError, call_each
from .spending import FREE, Amount
from .tracing import describe_answers

PROMPT = "prompt.md"  # the file of a bundle, and in this package
NO_ANSWER = "NO ANSWER"
log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What is answered, and by whom: a provider, or `extractive` with the reason."""

    sentences: Sequence[Cited]
    by: str
    refused: bool = False
    cost: Amount = FREE


@dataclass(frozen=True)
class GeneratingModel:
    """Writes answers to the questions that the documents answer; it is awaited."""

    extractive: AnswerModel
    llm: LanguageModel
    prompt: str

    async def predict(self, rows: Columns) -> Columns:
        """Return what the extractive model does, with the answers that were written and checked."""
        predicted = dict(await asyncio.to_thread(self.extractive.predict, rows))
        asked = np.flatnonzero(~predicted["refused"]).tolist()

        async def answer(row: int) -> Answer:
            return await self._answer(rows["question"][row], passages_of(predicted, row))

        for row, found in zip(asked, await call_each(answer, asked), strict=True):
            predicted["by"][row] = found.by
            predicted["usd"][row] = found.cost.usd
            predicted["tokens"][row] = found.cost.tokens
            if found.refused or found.sentences:
                predicted["answer"][row] = "\n".join(one.text for one in found.sentences)
                cited = [" ".join(map(str, one.passages)) for one in found.sentences]
                predicted["cited"][row] = "\n".join(cited)
                predicted["refused"][row] = found.refused
        describe_answers(rows["question"].tolist(), predicted)
        return predicted

    async def _answer(self, question: str, passages: Sequence[Passage]) -> Answer:
        """Return an answer that was written and checked, or why there is none."""
        messages = [("system", self.prompt), ("user", message(question, passages))]
        try:
            written = await self.llm.write(messages)
        except NotWrittenError as error:
            return Answer((), f"{EXTRACTIVE}: {error}")
        text = written.message.text
        if text.strip(" \n*_`").upper().startswith(NO_ANSWER):
            return Answer((), self.llm.options.provider, refused=True, cost=written.cost)
        try:
            sentences = read_citations(text, len(passages))
            for sentence in sentences:
                require_grounded(sentence, question, passages)
        except UngroundedError as error:
            log.warning("an answer was not used", extra={"kind": str(error)})
            return Answer((), f"{EXTRACTIVE}: ungrounded", cost=written.cost)
        return Answer(sentences, self.llm.options.provider, cost=written.cost)


def passages_of(predicted: Columns, row: int) -> list[Passage]:
    """Return the passages that were found for a question."""
    columns = [predicted[name][row].tolist() for name in PARTS]
    return [Passage(*values) for values in zip(*columns, strict=True)]


def message(question: str, passages: Sequence[Passage]) -> str:
    """Return passages and question as the prompt describes them; tags in them are escaped."""
    parts = [
        f'<passage number="{number}" title="{escape(one.title)}">'
        f"{escape(one.text, quote=False)}</passage>"
        for number, one in enumerate(passages, 1)
    ]
    return "\n".join([*parts, f"<question>{escape(question, quote=False)}</question>"])
