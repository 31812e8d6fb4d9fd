"""Answers that a language model writes from the passages that were found, if they can be checked.

Otherwise the sentences of the passages remain the answer: if the provider fails, the budget of the
day is spent, or the passages do not support a sentence.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np

from ..columns import Columns
from .answer import EXTRACTIVE, PARTS, AnswerModel
from .grounding import Cited, UngroundedError, read_citations, require_grounded
from .index import Passage
from .params import Generate
from .spending import Amount, Spending, today
from .writers import Writer, Written

PROMPT = "prompt.md"  # the file of a bundle, and in this package
NO_ANSWER = "NO ANSWER"
AT_ONCE = 8  # calls
log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """What is answered, and by whom: a provider, or `extractive` with the reason."""

    sentences: Sequence[Cited]
    by: str
    refused: bool = False


@dataclass(frozen=True)
class GeneratingModel:
    """Writes answers to the questions that the documents answer; it is awaited."""

    extractive: AnswerModel
    writer: Writer
    options: Generate
    prompt: str
    spending: Spending

    async def predict(self, rows: Columns) -> Columns:
        """Return what the extractive model does, with the answers that were written and checked."""
        predicted = dict(await asyncio.to_thread(self.extractive.predict, rows))
        asked = np.flatnonzero(~predicted["refused"]).tolist()
        slots = asyncio.Semaphore(AT_ONCE)

        async def answer(row: int) -> Answer:
            async with slots:
                return await self._answer(rows["question"][row], passages_of(predicted, row))

        for row, found in zip(asked, await asyncio.gather(*map(answer, asked)), strict=True):
            predicted["by"][row] = found.by
            if found.refused or found.sentences:
                predicted["answer"][row] = "\n".join(one.text for one in found.sentences)
                predicted["cited"][row] = "\n".join(map(indices, found.sentences))
                predicted["refused"][row] = found.refused
        return predicted

    async def _answer(self, question: str, passages: Sequence[Passage]) -> Answer:
        """Return an answer that was written and checked, or why there is none."""
        try:
            written = await self._write(message(question, passages))
        except Exception as error:  # noqa: BLE001  the provider's library may raise any
            log.warning("the provider failed", extra={"kind": type(error).__name__})
            return Answer((), f"{EXTRACTIVE}: provider")
        if written is None:
            return Answer((), f"{EXTRACTIVE}: budget")
        if written.text.strip(" \n*_`").upper().startswith(NO_ANSWER):
            return Answer((), self.options.provider, refused=True)
        try:
            sentences = read_citations(written.text, len(passages))
            for sentence in sentences:
                require_grounded(sentence, question, passages)
        except UngroundedError as error:
            log.warning("an answer was not used", extra={"kind": str(error)})
            return Answer((), f"{EXTRACTIVE}: ungrounded")
        return Answer(sentences, self.options.provider)

    async def _write(self, text: str) -> Written | None:
        """Return what the model writes; None if the budget of the day does not allow it.

        What all attempts can cost is reserved. A call that fails may have been billed, so that
        amount remains.
        """
        day = today()
        most = self._amount(len(self.prompt + text), self.options.max_tokens)  # a letter each
        attempts = 1 + self.options.retries
        most = Amount(most.usd * attempts, most.tokens * attempts)
        limit = Amount(self.options.usd_a_day, self.options.tokens_a_day)
        if not await asyncio.to_thread(self.spending.reserve, day, most, limit):
            return None
        async with asyncio.timeout(self.options.seconds):
            written = await self.writer.write(self.prompt, text)
        actual = self._amount(written.read, written.written)
        try:
            await asyncio.to_thread(self.spending.correct, day, most, actual)
        except sqlite3.Error as error:  # the answer is paid for: it is used
            log.warning("spending is not corrected", extra={"kind": str(error)})
        return written

    def _amount(self, read: int, written: int) -> Amount:
        """Return what tokens cost."""
        return Amount(self.options.cost(read, written), read + written)


def passages_of(predicted: Columns, row: int) -> list[Passage]:
    """Return the passages that were found for a question."""
    columns = [predicted[name][row].tolist() for name in PARTS]
    return [Passage(*values) for values in zip(*columns, strict=True)]


def indices(sentence: Cited) -> str:
    """Return the indices of the passages of a sentence as a text."""
    return " ".join(map(str, sentence.passages))


def message(question: str, passages: Sequence[Passage]) -> str:
    """Return passages and question as the prompt describes them; tags in them are escaped."""
    parts = [
        f'<passage number="{number}" title="{escape(one.title)}">'
        f"{escape(one.text, quote=False)}</passage>"
        for number, one in enumerate(passages, 1)
    ]
    return "\n".join([*parts, f"<question>{escape(question, quote=False)}</question>"])
