"""What the API takes and returns: a question, and an answer with its sources or a refusal."""

from functools import partial
from typing import Annotated
from unicodedata import normalize

from pydantic import AfterValidator, Field, StringConstraints

from ..fields import Identifier
from ..frozen import Frozen

LONGEST = 2_000  # characters of a question
MAX_QUESTIONS = 250  # of a request; they take five seconds on one core
MAX_SLOW = 16  # with a language model (two rounds of eight calls), or a reranker
Question = Annotated[str, StringConstraints(max_length=LONGEST, pattern=r"\w")]
Rounded = Annotated[float, AfterValidator(lambda value: round(value, 7))]
"""A number, rounded to the precision of float32."""
Name = Annotated[str, AfterValidator(partial(normalize, "NFC"))]
"""The name of a document; macOS may decompose its letters."""


class SupportRequest(Frozen):
    """A question."""

    question: Question = Field(examples=["May I put up a fence without asking anybody?"])
    customer_id: Identifier | None = None


class Label(Frozen):
    """The documents that answer a question, as a person labelled them."""

    documents: tuple[Name, ...] = Field(
        description="all that answer the question; empty if none does"
    )


class FoundPassage(Frozen):
    """A part of a document that was found."""

    document: str
    title: str
    page: int = Field(description="where it begins, from 1; 0 in a format without pages")
    link: str
    text: str
    similarity: Rounded = Field(description="of passage and question: the cosine of embeddings")


class Sentence(Frozen):
    """A sentence of the answer."""

    text: str
    passages: tuple[int, ...] = Field(description="indices of the passages that say so")


class SupportResponse(Frozen):
    """The answer to a question."""

    answer: str = Field(description="empty when it is refused")
    refused: bool
    confidence: Rounded = Field(description="probability that the passages answer the question")
    sentences: tuple[Sentence, ...]
    by: str = Field(description="who wrote the sentences; extractive: they are quoted")
    passages: tuple[FoundPassage, ...]
