"""What the API takes and returns: a question, and an answer with its sources or a refusal."""

from typing import Annotated

from pydantic import Field, StringConstraints

from ..fields import Identifier
from ..frozen import Frozen

LONGEST = 2_000  # characters of a question
Question = Annotated[str, StringConstraints(max_length=LONGEST, pattern=r"\w")]


class SupportRequest(Frozen):
    """A question."""

    question: Question = Field(examples=["May I put up a fence without asking anybody?"])
    customer_id: Identifier | None = None


class Label(Frozen):
    """What a person found."""

    documents: tuple[str, ...] = Field(
        description="all that answer the question; empty if none does"
    )


class FoundPassage(Frozen):
    """A part of a document that was found."""

    document: str
    title: str
    page: int = Field(description="where it begins, from 1; 0 in a format without pages")
    link: str
    text: str
    similarity: float = Field(description="of passage and question: the cosine of embeddings")


class Sentence(Frozen):
    """A sentence of the answer."""

    text: str
    passages: tuple[int, ...] = Field(description="indices of the passages that say so")


class SupportResponse(Frozen):
    """The answer to a question."""

    answer: str = Field(description="empty when it is refused")
    refused: bool
    confidence: float = Field(description="probability that the passages answer the question")
    sentences: tuple[Sentence, ...]
    by: str = Field(description="who wrote the sentences; extractive: they are quoted")
    passages: tuple[FoundPassage, ...]
