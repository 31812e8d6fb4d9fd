"""A large language model of OpenAI, of Anthropic or of a compatible server, within a budget."""

import asyncio
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import SecretStr

from ..settings import read_settings
from .params import LLM
from .settings import SupportSettings
from .spending import FREE, Amount, Spending, today
from .tracing import describe, open_span

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, MessageLikeRepresentation
    from langchain_core.tools import BaseTool
    from opentelemetry.trace import Span

AT_ONCE = 8  # calls for the rows of a request
CALLS = 32  # at once, of a model
UNBILLED = {400, 401, 403, 404, 422, 429}  # statuses of HTTP
SPENDING = "spending.db"  # in the folder of the project or the server
log = logging.getLogger(__name__)
Result = TypeVar("Result")


class NotWrittenError(Exception):
    """There is no answer; the message is the reason: `budget`, or `provider` if the call failed."""


class Written(NamedTuple):
    """What a model wrote, and what that cost."""

    message: "AIMessage"
    cost: Amount


@dataclass(frozen=True)
class LanguageModel:
    """A chat model of LangChain, whose calls are paid from the budget of the day."""

    chat: "BaseChatModel"
    options: LLM
    spending: Spending
    calls: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CALLS))

    async def write(
        self,
        messages: Sequence["MessageLikeRepresentation"],
        tools: "Sequence[BaseTool]" = (),
    ) -> Written:
        """Return the answer to messages, which may call tools; the client retries with backoff.

        What all attempts can cost is reserved. A call that fails may have been billed, so that
        amount remains, unless the provider refused the call.

        Raises:
            NotWrittenError: the budget does not allow the call, or it fails.
        """
        day = today()
        attempts = 1 + self.options.retries
        size = attempts * count_bytes(messages, tools)  # a token has one or more
        most = self.options.cost(size, attempts * self.options.max_tokens)
        limit = Amount(self.options.usd_a_day, self.options.tokens_a_day)
        try:
            async with asyncio.timeout(self.options.seconds), self.calls:
                reserved = await asyncio.to_thread(self.spending.reserve, day, most, limit)
                written = await self._call(messages, tools) if reserved else None
        except Exception as error:  # the provider's library may raise any
            log.warning("a language model did not answer", extra={"kind": type(error).__name__})
            if getattr(error, "status_code", 0) in UNBILLED:
                await self._correct(day, most, FREE)
            raise NotWrittenError("provider") from error
        if written is None:
            raise NotWrittenError("budget")
        await self._correct(day, most, written.cost)
        return written

    async def _call(
        self,
        messages: Sequence["MessageLikeRepresentation"],
        tools: "Sequence[BaseTool]",
    ) -> Written:
        """Call the provider."""
        chat = self.chat.bind_tools(tools) if tools else self.chat
        with open_span(f"chat {self.options.model}", "CHAT_MODEL") as span:
            answer: AIMessage = await chat.ainvoke([*messages])
            if answer.usage_metadata is None:
                raise ValueError("the answer does not say how many tokens it took")
            usage = answer.usage_metadata
            actual = self.options.cost(usage["input_tokens"], usage["output_tokens"])
            if span.is_recording():
                describe_call(span, messages, answer)
                span.set_attribute("gen_ai.provider.name", self.options.provider)
                span.set_attribute("gen_ai.request.model", self.options.model)
                span.set_attribute("mlflow.llm.cost", json.dumps({"total_cost": actual.usd}))
        return Written(answer, actual)

    async def _correct(self, day: str, reserved: Amount, actual: Amount) -> None:
        """Replace a reservation with the actual cost."""
        try:
            await asyncio.to_thread(self.spending.correct, day, reserved, actual)
        except sqlite3.Error as error:  # an answer that is paid for is used
            log.warning("spending is not corrected", extra={"kind": str(error)})


async def call_each(call: Callable[[int], Awaitable[Result]], rows: Iterable[int]) -> list[Result]:
    """Return the results of a call for each row, in their order, some calls at once."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def wait(row: int) -> Result:
        async with slots:
            return await call(row)

    return await asyncio.gather(*map(wait, rows))


def describe_call(
    span: "Span", messages: Sequence["MessageLikeRepresentation"], answer: "AIMessage"
) -> None:
    """Describe the span of a call: messages, answer and tokens."""
    from langchain_core.messages import convert_to_messages  # noqa: PLC0415

    shown = [
        {"role": one.type, "content": one.text, "tool_calls": getattr(one, "tool_calls", [])}
        for one in convert_to_messages([*messages, answer])
    ]  # the arguments of calls are no JSON text here, in which numbers would not be masked
    describe(span, inputs={"messages": shown[:-1]}, outputs=shown[-1])
    for name, count in (answer.usage_metadata or {}).items():
        if isinstance(count, int):
            span.set_attribute(f"gen_ai.usage.{name}", count)


def count_bytes(
    messages: Sequence["MessageLikeRepresentation"], tools: "Sequence[BaseTool]"
) -> int:
    """Count the bytes (UTF-8) that a model reads."""
    from langchain_core.messages import convert_to_messages  # noqa: PLC0415  it takes a second
    from langchain_core.utils.function_calling import convert_to_openai_tool  # noqa: PLC0415

    texts = [f"{one.text}{getattr(one, 'tool_calls', '')}" for one in convert_to_messages(messages)]
    texts += [str(convert_to_openai_tool(tool)) for tool in tools]
    return len("".join(texts).encode())


def open_llm(options: LLM) -> LanguageModel | None:
    """Return the model of the parameters; None without a provider, or without its key."""
    if not options.provider:
        return None
    settings = read_settings(SupportSettings)
    if options.provider == "openai":
        key, address = settings.openai_api_key, settings.openai_base_url
    else:
        key, address = settings.anthropic_api_key, settings.anthropic_base_url
    if not key.get_secret_value():
        name = f"{options.provider.upper()}_API_KEY"
        log.warning("%s is not set: answers are quoted, not generated", name)
        return None
    chat = chat_model(options, key, address or None)
    return LanguageModel(chat, options, Spending(Path(SPENDING)))


def chat_model(options: LLM, key: SecretStr, address: str | None) -> "BaseChatModel":
    """Return the chat model of a provider; importing its library takes two seconds."""
    common: dict[str, Any] = {
        "model": options.model,
        "api_key": key,
        "base_url": address,
        "max_tokens": options.max_tokens,
        "timeout": options.seconds,
        "max_retries": options.retries,
    }
    if options.provider == "openai":
        from langchain_openai import ChatOpenAI  # noqa: PLC0415

        return ChatOpenAI(**common)
    from langchain_anthropic import ChatAnthropic  # noqa: PLC0415

    return ChatAnthropic(**common)
