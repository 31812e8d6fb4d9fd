"""Large language models that write answers: those of OpenAI and Anthropic, and compatible ones.

Keys and addresses come from the environment, as the clients read them: OPENAI_API_KEY and
OPENAI_BASE_URL, ANTHROPIC_API_KEY and ANTHROPIC_BASE_URL.
"""

import logging
import os
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .params import Generate

KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
log = logging.getLogger(__name__)


class Written(NamedTuple):
    """A text, and the tokens that were read and written for it."""

    text: str
    read: int
    written: int


class Writer(Protocol):
    """Something that answers a message; its library may raise any exception."""

    async def write(self, system: str, user: str) -> Written:
        """Return the answer to a message."""


@dataclass(frozen=True)
class OpenAIWriter:
    """A model behind OpenAI's chat completions, which many servers offer."""

    options: Generate

    async def write(self, system: str, user: str) -> Written:
        """Return the answer to a message; the client retries with backoff."""
        from openai import AsyncOpenAI  # noqa: PLC0415  it takes a second to import

        seconds = self.options.seconds
        async with AsyncOpenAI(timeout=seconds, max_retries=self.options.retries) as client:
            answer = await client.chat.completions.create(
                model=self.options.model,
                max_completion_tokens=self.options.max_tokens,
                messages=[
                    {"role": "system", "content": system},
                    {"role": "user", "content": user},
                ],
            )
        if answer.usage is None:
            raise ValueError("the answer does not say how many tokens it took")
        text = answer.choices[0].message.content or ""
        return Written(text, answer.usage.prompt_tokens, answer.usage.completion_tokens)


@dataclass(frozen=True)
class AnthropicWriter:
    """A model behind Anthropic's messages."""

    options: Generate

    async def write(self, system: str, user: str) -> Written:
        """Return the answer to a message; the client retries with backoff."""
        from anthropic import AsyncAnthropic  # noqa: PLC0415  it takes a second to import

        seconds = self.options.seconds
        async with AsyncAnthropic(timeout=seconds, max_retries=self.options.retries) as client:
            answer = await client.messages.create(
                model=self.options.model,
                max_tokens=self.options.max_tokens,
                system=system,
                messages=[{"role": "user", "content": user}],
            )
        text = "".join(block.text for block in answer.content if block.type == "text")
        return Written(text, answer.usage.input_tokens, answer.usage.output_tokens)


def make_writer(options: Generate) -> Writer | None:
    """Return the writer of the parameters; None without a provider, or without its key."""
    if not options.provider:
        return None
    key = KEYS[options.provider]
    if not os.environ.get(key):
        log.warning("%s is not set: answers are quoted, not generated", key)
        return None
    return OpenAIWriter(options) if options.provider == "openai" else AnthropicWriter(options)
