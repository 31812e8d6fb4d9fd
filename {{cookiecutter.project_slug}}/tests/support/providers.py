"""The chat completions of OpenAI and the messages of Anthropic, on loopback, as a test says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from servers import running

Reply = Callable[[str, str], str | int]
"""Return the text that the model writes, or a status (system prompt, message of the user)."""


@dataclass
class Provider:
    """What was asked of both APIs."""

    reply: Reply
    asked: list[dict[str, Any]] = field(default_factory=list)

    def write(self, body: dict[str, Any], system: str, user: str) -> str:
        """Return the text for a request; raise HTTPException for a status."""
        self.asked.append(body)
        found = self.reply(system, user)
        if isinstance(found, int):
            raise HTTPException(found, "not now")
        return found

    def app(self) -> FastAPI:
        """Return both APIs."""
        app = FastAPI()

        @app.post("/openai/chat/completions")
        def complete(body: dict[str, Any]) -> dict[str, Any]:
            system, user = (message["content"] for message in body["messages"])
            text = self.write(body, system, user)
            choice = {"index": 0, "finish_reason": "stop"}
            return {
                "id": "1",
                "object": "chat.completion",
                "created": 1,
                "model": body["model"],
                "choices": [{**choice, "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
            }

        @app.post("/anthropic/v1/messages")
        def create(body: dict[str, Any]) -> dict[str, Any]:
            (message,) = body["messages"]
            text = self.write(body, body["system"], message["content"])
            return {
                "id": "1",
                "type": "message",
                "role": "assistant",
                "model": body["model"],
                "content": [{"type": "text", "text": text}],
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": {"input_tokens": 100, "output_tokens": 20},
            }

        return app


@contextmanager
def providing(reply: Reply, patch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """Run both APIs on loopback, with their addresses and keys in the environment."""
    provider = Provider(reply)
    with running(provider.app()) as url:
        for name in ("openai", "anthropic"):
            patch.setenv(f"{name.upper()}_BASE_URL", f"{url}/{name}")
            patch.setenv(f"{name.upper()}_API_KEY", "test")
        yield provider
