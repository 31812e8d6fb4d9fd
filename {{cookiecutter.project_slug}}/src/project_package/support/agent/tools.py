"""The tools of the agent: the search in documents, and those of the shop."""

import asyncio
import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from langchain_core.tools import BaseTool, StructuredTool, create_schema_from_function, tool
from langgraph.prebuilt import ToolRuntime

from ...contract.task import Served, is_async
from ..schemas import Question, SupportRequest
from ..task import to_rows
from .shop import READING, WRITING, Shop


@dataclass(frozen=True)
class Context:
    """What the nodes and the tools of a turn use, as the runtime context of LangGraph."""

    served: Served
    shop: Shop


@tool(response_format="content_and_artifact")
async def search_documents(question: Question, runtime: ToolRuntime[Any, Any]) -> tuple[str, Any]:
    """Search the documents for the answer to a question."""
    answer = await find_answer(runtime.context, question)
    return ("There is no answer." if answer["refused"] else "It is answered."), answer


def shop_tool(name: str) -> BaseTool:
    """Return a method of the shop as a tool; the shop is that of the customer of the turn."""
    method = getattr(Shop, name)

    def call(runtime: ToolRuntime[Any, Any], **arguments: Any) -> Any:
        return method(runtime.context.shop, **arguments)

    schema = create_schema_from_function(name, method)
    return StructuredTool.from_function(call, name=name, args_schema=schema)


@cache
def make_tools() -> tuple[BaseTool, ...]:
    """Return the tools, made once in a process: that takes 9 ms."""
    return (search_documents, *map(shop_tool, (*READING, *WRITING)))


async def find_answer(context: Context, question: str) -> dict[str, Any]:
    """Answer a question with the served model, as POST /v1/predict does; count and log it.

    Returns:
        The response, and `prediction_id`.
    """
    customer = context.shop.customer or None
    rows = to_rows([SupportRequest(question=question, customer_id=customer)])
    model = context.served.model
    if is_async(model):
        predictions = await model.predict(rows)
    else:
        predictions = await asyncio.to_thread(model.predict, rows)
    ((prediction_id, response),) = context.served.observe(rows, predictions).items()
    return {**json.loads(response), "prediction_id": prediction_id}
