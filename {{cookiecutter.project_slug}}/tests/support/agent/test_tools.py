"""Tools are made once in a process; in each turn they are those of its customer."""

import asyncio
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool

from project_package.contract.task import Served
from project_package.support.agent.chat import run
from project_package.support.agent.graph import build_graph
from project_package.support.agent.planner import read_prompt
from project_package.support.agent.schemas import ChatMessage, ChatRequest
from project_package.support.agent.tools import make_tools

ORDERS = {"C-1": "A-1002", "C-2": "A-1003"}


class Unused:
    """A model that is not asked."""

    def predict(self, _: Any) -> Any:
        raise AssertionError


async def look_up(customer: str, order: str) -> str:
    """Return what the agent says of an order."""
    served = Served(Unused(), lambda *_: {}, lambda *_: nullcontext())
    messages = [ChatMessage(role="user", content=f"Where is {order}?")]
    return (await run(served, ChatRequest(user=customer, messages=messages))).text


@pytest.mark.parametrize("build", [build_graph, make_tools, read_prompt])
def test_parts_of_the_agent_are_made_once(build: Any) -> None:
    assert build() is build()


def test_turns_at_once_are_of_their_own_customers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def look_up_all() -> list[str]:
        pairs = [(customer, order) for customer in ORDERS for order in ORDERS.values()]
        return await asyncio.gather(*(look_up(*pair) for pair in pairs))

    found = asyncio.run(look_up_all())
    assert [text.startswith("Order") for text in found] == [True, False, False, True]


def test_a_model_sees_no_argument_of_the_runtime() -> None:
    functions = [convert_to_openai_tool(tool)["function"] for tool in make_tools()]
    arguments = [[*function["parameters"]["properties"]] for function in functions]
    assert arguments == [["question"], ["order"], ["subject"]]
