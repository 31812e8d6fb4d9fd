"""What POST /v1/chat/completions takes and returns: OpenAI's protocol, and fields of our own."""

import time
from secrets import token_urlsafe
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, model_validator

from ...fields import Identifier
from ..schemas import LONGEST, FoundPassage, Question

MESSAGES = 100  # of a request
LONGEST_ANSWER = 20_000  # characters of a message that a client sends back
QUESTION = TypeAdapter[str](Question)
ThreadId = Annotated[str, StringConstraints(pattern=r"^[\w-]{1,64}$")]


class ChatMessage(BaseModel):
    """A message; only those of the user are read."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str = Field(max_length=LONGEST_ANSWER)


class ChatRequest(BaseModel):
    """What a client sends: a new conversation, a new message in one, or an approval."""

    messages: list[ChatMessage] = Field(default=[], max_length=MESSAGES)
    model: str = Field(default="", description="not read: the champion answers")
    stream: bool = False
    user: Identifier | None = Field(default=None, description="the customer who has signed in")
    thread_id: ThreadId | None = Field(
        default=None, description="of an answer; only the last message is read then"
    )
    approval_id: str | None = Field(default=None, description="the `id` of an `approval`")
    approve: bool | None = Field(default=None, description="whether its calls may run")

    @model_validator(mode="after")
    def _check_last(self) -> "ChatRequest":
        if self.approve is not None:
            if not self.thread_id or not self.approval_id:
                raise ValueError("approve needs thread_id and approval_id")
        elif not self.messages or self.messages[-1].role != "user":
            raise ValueError("the last message must be the user's")
        try:
            for message in self.messages:
                if message.role == "user":
                    QUESTION.validate_python(message.content)
        except ValueError:
            raise ValueError(f"a message has words, and at most {LONGEST:,} characters") from None
        return self


class ToolUse(BaseModel):
    """A call of a tool."""

    tool: str
    arguments: dict[str, Any]


class Approval(BaseModel):
    """Calls that wait for a person; another message declines them."""

    id: str
    calls: list[ToolUse]


class Extra(BaseModel):
    """What OpenAI's protocol does not have."""

    thread_id: str
    tools: list[str] = Field(default=[], description="that were used")
    citations: list[FoundPassage] = []
    prediction_ids: list[str] = Field(default=[], description="of the searches, for labels")
    approval: Approval | None = None


class Reply(Extra):
    """What the agent did in a turn, and what the customer reads."""

    text: str


class Choice(BaseModel):
    """The message of an answer, or a part of it in a stream."""

    index: Literal[0] = 0
    message: dict[str, str] | None = None
    delta: dict[str, str] | None = None
    finish_reason: Literal["stop"] | None = None


class ChatCompletion(Extra):
    """An answer, or a chunk of it; the last one has what is not in OpenAI's protocol."""

    id: str = Field(default_factory=lambda: f"chatcmpl-{token_urlsafe(12)}")
    object: Literal["chat.completion", "chat.completion.chunk"] = "chat.completion"
    created: int = Field(default_factory=lambda: int(time.time()))
    model: str = "support"
    choices: list[Choice]
