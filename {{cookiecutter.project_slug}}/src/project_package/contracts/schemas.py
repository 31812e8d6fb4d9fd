"""What the API takes and returns: clauses, their types, and whether a person has to read them."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from ..fields import Identifier
from ..frozen import Frozen

LONGEST = 20_000  # characters of a clause
LONGEST_HEADING = 200
Text = Annotated[str, StringConstraints(max_length=LONGEST, pattern=r"\S")]


class ContractsRequest(Frozen):
    """A clause to review."""

    text: Text = Field(
        description="of the clause, without its heading",
        examples=["This Agreement is governed by the laws of the State of California."],
    )
    document_id: Identifier | None = None
    clause: int = Field(default=0, ge=0, description="its number in the document, from 1")
    page: int = Field(default=0, ge=0, description="where it begins, from 1")
    heading: str = Field(
        default="", max_length=LONGEST_HEADING, description="which the model does not read"
    )
    explain: bool = Field(default=False, description="return the words that moved the answer")


class Label(Frozen):
    """What a person found."""

    type: Identifier


class Words(Frozen):
    """A part of the text, and its effect."""

    start: int = Field(description="index of the first character")
    end: int = Field(description="index after the last one")
    effect: float = Field(description="what the log-odds of the type lose without it")


class ContractsResponse(Frozen):
    """The answer for one clause."""

    type: str
    confidence: float = Field(description="probability of the type")
    decision: Literal["accept", "review"] = Field(
        description="review: a person has to read the clause"
    )
    clause: int = Field(description="as in the request")
    page: int = Field(description="as in the request")
    heading: str = Field(description="as in the request")
    words: list[Words]
