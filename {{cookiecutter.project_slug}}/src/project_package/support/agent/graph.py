"""The agent: a graph of LangGraph that plans tool calls, has them approved, and runs them.

    plan -> approve -> run -> plan -> ... -> end

The language model only chooses tools. It reads what the customer wrote, never a document, and its
own text is not used: customers read what tools return.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, TypeAlias

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt
from opentelemetry.trace import StatusCode

from ..tracing import describe, open_span
from .planner import Planned, plan
from .shop import WRITING
from .tools import Context, make_tools

CALLS = 4  # of tools that are planned in a turn, one after the other, at most
STEPS = 3 * CALLS  # nodes that run
DECLINED = "Nothing was changed."
FAILED = "That did not work."
log = logging.getLogger(__name__)
Agent: TypeAlias = "CompiledStateGraph[MessagesState, Context, MessagesState, MessagesState]"


@cache
def build_graph() -> "StateGraph[MessagesState, Context]":
    """Build the graph, once in a process."""
    graph = StateGraph(MessagesState, Context)
    graph.add_node("plan", plan_calls)
    graph.add_node("approve", approve, destinations=("run", END))
    runner = ToolNode(make_tools(), handle_tool_errors=report_failure, awrap_tool_call=trace_call)
    graph.add_node("run", runner)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", tools_condition, {"tools": "approve", END: END})
    graph.add_edge("run", "plan")
    return graph


async def plan_calls(state: MessagesState, runtime: Runtime[Context]) -> Planned:
    """Plan the next tool calls."""
    with open_span("plan", "CHAIN") as span:
        planned = await plan(state, runtime.context.served.model)
        describe(span, outputs=last_calls(planned["messages"]))
        return planned


def approve(state: MessagesState) -> Command[str]:
    """Wait for a person if a tool writes."""
    calls = last_calls(state["messages"])
    writes = [call for call in calls if call["name"] in WRITING]
    asked = [{"tool": call["name"], "arguments": call["args"]} for call in writes]
    with open_span("approve", "CHAIN") as span:
        describe(span, inputs=asked)
    if not writes or interrupt(asked) is True:
        return Command(goto="run")
    declined = [ToolMessage(DECLINED, tool_call_id=call["id"] or "") for call in calls]
    return Command(goto=END, update={"messages": declined})


async def trace_call(
    request: ToolCallRequest,
    execute: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
) -> ToolMessage | Command[Any]:
    """Call a tool, with a span; what was answered is in the spans of the search."""
    with open_span(request.tool_call["name"], "TOOL") as span:
        result = await execute(request)
        describe(span, inputs=request.tool_call["args"])
        if isinstance(result, ToolMessage) and not result.artifact:
            describe(span, outputs=result.text)
        if isinstance(result, ToolMessage) and result.status == "error":
            span.set_status(StatusCode.ERROR)
        return result


def report_failure(error: Exception) -> str:
    """Log the kind of a failure, whose message may have personal data; return what is shown."""
    log.error("a tool failed", extra={"kind": type(error).__name__})
    return FAILED


def last_calls(messages: Sequence[AnyMessage]) -> list[Any]:
    """Return the tool calls that were planned last."""
    last = messages[-1]
    return last.tool_calls if isinstance(last, AIMessage) else []
