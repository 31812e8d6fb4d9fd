"""A turn of a conversation: what the agent does, and what the customer reads of it."""

import asyncio
import logging
from collections.abc import Sequence
from secrets import token_urlsafe
from typing import Any

from fastapi import HTTPException
from langchain_core.messages import AnyMessage, ToolMessage
from langgraph.errors import GraphRecursionError
from langgraph.types import Command, Interrupt, StateSnapshot

from .graph import FAILED, STEPS, Agent
from .planner import turn_of
from .saver import conversation_key
from .schemas import Approval, ChatRequest, Reply, ToolUse
from .tools import Context

REFUSED = "The documents do not answer this. Ask for a ticket if a person should."
UNKNOWN = "There is no conversation {!r} of this user."
OTHER = "Nothing waits for this approval."
ASKING = "May I do this? {}"
log = logging.getLogger(__name__)


class Turn:
    """One turn of a conversation of a customer."""

    def __init__(self, request: ChatRequest, context: Context, deadline: float) -> None:
        """Take what the customer sent, what the agent uses, and the end in the loop's time."""
        self.request = request
        self.context = context
        self.thread_id = request.thread_id or token_urlsafe(16)
        self.key = conversation_key(request.user or "", self.thread_id)
        self._deadline = deadline
        self._config: Any = {
            "configurable": {"thread_id": self.key},
            "metadata": {"user": request.user or ""},
            "recursion_limit": STEPS,
        }

    async def run(self, agent: Agent) -> Reply:
        """Run the turn, and return what the customer reads.

        Raises:
            HTTPException: 404 for a conversation that does not exist, 409 for another approval.
        """
        before = await agent.aget_state(self._config)
        graph_input = await self._input(agent, before)
        try:
            async with asyncio.timeout_at(self._deadline):
                await agent.ainvoke(graph_input, self._config, context=self.context)
        except (GraphRecursionError, TimeoutError) as error:
            log.warning("a turn was ended", extra={"kind": type(error).__name__})
        after = await agent.aget_state(self._config)
        new = after.values.get("messages", [])[len(before.values.get("messages", [])) :]
        return self._reply(turn_of(new), after.interrupts)

    async def _input(self, agent: Agent, state: StateSnapshot) -> Any:
        """Return what the graph continues with."""
        if self.request.thread_id and not state.values:
            raise HTTPException(404, UNKNOWN.format(self.thread_id))
        waiting = [interrupt.id for interrupt in state.interrupts]
        if self.request.approve is not None:
            if self.request.approval_id not in waiting:
                raise HTTPException(409, OTHER)
            return Command(resume=self.request.approve)
        if waiting:
            await agent.ainvoke(Command(resume=False), self._config, context=self.context)
        new = self.request.messages[-1:] if state.values else self.request.messages
        return {"messages": [("user", each.content) for each in new if each.role == "user"]}

    def _reply(self, new: Sequence[AnyMessage], interrupts: Sequence[Interrupt]) -> Reply:
        """Return what tools returned, and what waits for a person."""
        results = [message for message in new if isinstance(message, ToolMessage)]
        answers = [result.artifact for result in results if result.artifact]
        texts = [text_of(result) for result in results if result.status != "error"]
        approvals = [Approval(id=interrupt.id, calls=interrupt.value) for interrupt in interrupts]
        texts += [ASKING.format("; ".join(map(text_of_call, each.calls))) for each in approvals]
        return Reply(
            text="\n".join(dict.fromkeys(texts)) or FAILED,
            thread_id=self.thread_id,
            tools=[result.name for result in results if result.name],
            citations=[passage for answer in answers for passage in cited_passages(answer)],
            prediction_ids=[answer["prediction_id"] for answer in answers],
            approval=approvals[0] if approvals else None,
        )


def text_of(result: ToolMessage) -> str:
    """Return what a tool returned as the customer reads it."""
    if not result.artifact:
        return str(result.text)
    return REFUSED if result.artifact["refused"] else str(result.artifact["answer"])


def text_of_call(use: ToolUse) -> str:
    """Return a call of a tool as people read it."""
    values = ", ".join(f"{name} “{value}”" for name, value in use.arguments.items())
    return f"{use.tool.replace('_', ' ')}: {values}"


def cited_passages(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the passages that the sentences of an answer name."""
    named = [index for sentence in answer["sentences"] for index in sentence["passages"]]
    return [answer["passages"][index] for index in dict.fromkeys(named)]
