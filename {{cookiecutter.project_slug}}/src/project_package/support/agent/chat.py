"""Talk to the agent: POST /v1/chat/completions, as clients of OpenAI speak it.

A conversation has an id, `thread_id`, which the first answer returns. It survives a restart.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from opentelemetry.trace import get_current_span

from ...contract.task import Served
from ...settings import read_settings
from ..sentences import cut_sentences
from ..settings import SupportSettings
from ..tracing import describe
from .conversation import Turn
from .delete import deleting_old
from .graph import build_graph
from .saver import check_address, open_saver
from .schemas import ChatCompletion, ChatRequest, Choice, Reply
from .shop import SHOP, Shop
from .tools import Context

EVENT = {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
SSE = "text/event-stream"  # with `stream`
UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # by proxies


async def run(served: Served, request: ChatRequest) -> Reply:
    """Run a turn.

    Raises:
        HTTPException: there is no such conversation, or nothing waits for this approval.
        Unavailable: conversations cannot be used.
    """
    context = Context(served, Shop(Path(SHOP), request.user or ""))
    settings = read_settings(SupportSettings)
    deadline = asyncio.get_running_loop().time() + settings.serve_answer_seconds
    turn = Turn(request, context, deadline)
    async with open_saver(settings, turn.key) as saver:
        reply = await turn.run(build_graph().compile(saver))
    describe_turn(request, reply)
    return reply


def describe_turn(request: ChatRequest, reply: Reply) -> None:
    """Describe the span of the request; MLflow groups the turns of a conversation."""
    span = get_current_span()
    if span.is_recording():
        sent = request.model_dump(include={"messages", "approve"}, exclude_defaults=True)
        got = reply.model_dump(include={"text", "tools", "approval"}, exclude_defaults=True)
        describe(span, type="AGENT", inputs=sent, outputs=got)
        span.set_attribute("session.id", reply.thread_id)


async def events(reply: Reply) -> AsyncIterator[str]:
    """Yield server-sent events: the text sentence by sentence, and what belongs to it."""
    end = Choice(delta={}, finish_reason="stop")
    last = ChatCompletion(**dict(reply), object="chat.completion.chunk", choices=[end])
    same = last.model_dump(include={"id", "object", "created", "thread_id"})
    deltas = [{"role": "assistant", "content": ""}]
    deltas += [{"content": sentence} for sentence in cut_sentences(reply.text)]
    chunks = [ChatCompletion(**same, choices=[Choice(delta=delta)]) for delta in deltas]
    for chunk in (*chunks, last):
        yield f"data: {chunk.model_dump_json(exclude_none=True)}\n\n"
    yield "data: [DONE]\n\n"


def make_router(served: Callable[[], Served]) -> APIRouter:
    """Return the route.

    Raises:
        UserError: CONVERSATIONS_URL cannot be read.
    """
    check_address(read_settings(SupportSettings))
    build_graph()  # now, so that the first request does not wait
    router = APIRouter(lifespan=deleting_old)
    schema = ChatRequest.model_json_schema(ref_template="#/components/schemas/{model}")
    body = {"required": True, "content": {"application/json": {"schema": schema}}}

    @router.post(
        "/v1/chat/completions",
        summary="Talk to the agent",
        response_model=ChatCompletion,
        response_model_exclude_none=True,
        responses={
            200: {"description": "What the agent answers", "content": {SSE: {"itemSchema": EVENT}}},
            404: {"description": "The user has no such conversation"},
            409: {"description": "Nothing waits for this approval"},
        },
        openapi_extra={"requestBody": body},
    )
    async def complete(request: Request) -> Any:
        """Answer a message, or continue after an approval; with `stream`, as events."""
        version = served()
        async with version.read_body(request, ChatRequest) as asked:
            reply = await run(version, asked)
        if asked.stream:
            return StreamingResponse(events(reply), headers=UNBUFFERED, media_type=SSE)
        choice = Choice(message={"role": "assistant", "content": reply.text}, finish_reason="stop")
        return ChatCompletion(**dict(reply), choices=[choice])

    return router
