"""Plan the next tool call: by rules, or with a language model."""

import logging
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from secrets import token_hex
from typing import Any, TypeAlias

from langchain_core.messages import AIMessage, AnyMessage, ToolCall
from langgraph.graph import MessagesState

from ...contract.task import AsyncModel, Model
from ..generate import GeneratingModel
from ..index import words_of
from ..llm import LanguageModel, NotWrittenError
from .tools import make_tools

ORDER = re.compile(r"\b[A-Za-z]-\d{4}\b")
TICKET = {"ticket", "ärende", "ärendet", "human", "person", "människa"}
"""Words of customers who want a person to answer."""
PROMPT = "prompt.md"
EARLIER = 10  # messages of the customer that a language model reads
log = logging.getLogger(__name__)
Planned: TypeAlias = dict[str, list[AIMessage]]
"""A message with tool calls, or without any when the turn is over."""


async def plan(state: MessagesState, model: Model | AsyncModel) -> Planned:
    """Plan the next tool calls, with the language model of the served model if it has one."""
    if isinstance(model, GeneratingModel):
        return await plan_by_model(state, model.llm)
    return await plan_by_rules(state)


async def plan_by_rules(state: MessagesState) -> Planned:
    """Look up the order that is named, open a ticket if a person is wanted, or search."""
    if turn_of(state["messages"]):  # a tool has answered
        return {"messages": [AIMessage("")]}
    text = state["messages"][-1].text
    if order := ORDER.search(text):
        return call("look_up_order", order=order[0])
    if TICKET & {*words_of(text)}:
        return call("open_ticket", subject=text)
    return call("search_documents", question=text)


def call(name: str, **arguments: str) -> Planned:
    """Return a message that calls a tool."""
    planned = ToolCall(name=name, args=arguments, id=token_hex(8))
    return {"messages": [AIMessage("", tool_calls=[planned])]}


async def plan_by_model(state: MessagesState, llm: LanguageModel) -> Planned:
    """Return the calls of a language model; if it fails or calls no tool, those of the rules.

    It reads what the customer wrote, and of this turn what tools returned.
    """
    turn = turn_of(state["messages"])
    written = [message for message in state["messages"] if message.type == "human"]
    messages: list[Any] = [("system", read_prompt()), *written[-EARLIER:], *turn]
    try:
        answer = (await llm.write(messages, make_tools())).message
    except NotWrittenError as error:
        log.warning("rules plan instead", extra={"kind": str(error)})
        return await plan_by_rules(state)
    if not answer.tool_calls and not turn:
        return await plan_by_rules(state)
    return {"messages": [answer]}


@cache
def read_prompt() -> str:
    """Read the system prompt once."""
    return (resources.files(__package__) / PROMPT).read_text("utf-8")


def turn_of(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """Return the messages since the customer wrote."""
    ends = [end for end, message in enumerate(messages, 1) if message.type == "human"]
    return [*messages[max(ends, default=0) :]]
