"""The chat completions of OpenAI and the messages of Anthropic, on loopback, as a test says."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pytest
from fastapi import FastAPI, HTTPException
from servers import running

CLOSED = [("connection", "close")]
"""Keep no connection, which clients would share between the event loops of tests."""


class Call(NamedTuple):
    """A tool call of the model."""

    name: str
    arguments: dict[str, str]


Reply = Callable[[str, str], str | int | Call]
"""Return what the model writes or calls, or a status (system prompt, all other messages)."""


@dataclass
class Provider:
    """What was asked of both APIs."""

    reply: Reply
    asked: list[dict[str, Any]] = field(default_factory=list)

    def write(self, body: dict[str, Any], system: str, others: Sequence[Any]) -> str | Call:
        """Return what the model answers; raise HTTPException for a status."""
        self.asked.append(body)
        found = self.reply(system, "\n".join(map(text_of, others)))
        if isinstance(found, int):
            raise HTTPException(found, "not now")
        return found

    def app(self) -> FastAPI:
        """Return both APIs."""
        app = FastAPI()

        @app.post("/openai/chat/completions")
        def complete(body: dict[str, Any]) -> dict[str, Any]:
            system, *others = body["messages"]
            found = self.write(body, system["content"], others)
            message: dict[str, Any] = {"role": "assistant", "content": found}
            if isinstance(found, Call):
                function = {"name": found.name, "arguments": json.dumps(found.arguments)}
                call = {"id": "call", "type": "function", "function": function}
                message |= {"content": None, "tool_calls": [call]}
            return {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": body["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
            }

        @app.post("/anthropic/v1/messages")
        def create(body: dict[str, Any]) -> dict[str, Any]:
            found = self.write(body, body["system"], body["messages"])
            content: dict[str, Any] = {"type": "text", "text": found}
            if isinstance(found, Call):
                content = {"type": "tool_use", "id": "call"}
                content |= {"name": found.name, "input": found.arguments}
            return {
                "id": "1",
                "type": "message",
                "role": "assistant",
                "model": body["model"],
                "content": [content],
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": {"input_tokens": 100, "output_tokens": 20},
            }

        return app


def text_of(message: dict[str, Any]) -> str:
    """Return the text of a message, or its blocks as JSON."""
    content = message["content"]
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


@contextmanager
def providing(reply: Reply, patch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """Run both APIs on loopback, with their addresses and keys in the environment."""
    provider = Provider(reply)
    with running(provider.app(), headers=CLOSED) as url:
        for name in ("openai", "anthropic"):
            patch.setenv(f"{name.upper()}_BASE_URL", f"{url}/{name}")
            patch.setenv(f"{name.upper()}_API_KEY", "test")
        yield provider
