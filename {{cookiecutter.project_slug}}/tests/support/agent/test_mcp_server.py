"""Clients of the Model Context Protocol search, and write with an approval only."""

import asyncio
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import ElicitResult
from support.encoders import WordEncoder

from project_package.errors import UserError
from project_package.support.agent.mcp_server import make_server, run_server
from project_package.support.agent.shop import Shop
from project_package.support.answer import Details
from project_package.support.index import Passage, write_index
from project_package.support.task import model_of

PASSAGE = Passage("garden.md", "Gardens", 0, "", "en", "", "A fence may be 2 metres high.")
TICKET = {"subject": "smoke"}


def call(folder: Path, name: str, arguments: dict[str, str], approve: bool | None = None) -> Any:
    """Call a tool for customer C-1; a person answers, unless `approve` is None."""
    encoder = WordEncoder()
    write_index(folder / "index", [PASSAGE], [encoder.embed([PASSAGE.text])])
    details = Details(tokens=9, dense=1, words=1, passages=1, sentences=2)
    server = make_server(model_of(encoder, folder / "index", details), Shop(folder / "shop", "C-1"))

    async def answer(*_: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"approve": bool(approve)})

    async def use() -> Any:
        callbacks: Any = {} if approve is None else {"elicitation_callback": answer}
        async with Client(server, **callbacks) as client:
            return await client.call_tool(name, arguments)

    return asyncio.run(use())


def tickets(folder: Path) -> int:
    if not (folder / "shop").exists():
        return 0
    with sqlite3.connect(folder / "shop") as connection:
        return int(connection.execute("select count(*) from tickets").fetchone()[0])


def test_search_returns_answer_and_source(tmp_path: Path) -> None:
    found = call(tmp_path, "search_documents", {"question": "How high is a fence?"})
    assert found.structured_content["answer"] == PASSAGE.text
    assert found.structured_content["passages"][0]["document"] == "garden.md"


def test_order_is_that_of_the_customer(tmp_path: Path) -> None:
    orders = {"A-1002": "wood stove", "A-1003": "no such order"}
    for order, expected in orders.items():
        (content,) = call(tmp_path, "look_up_order", {"order": order}).content
        assert expected in content.text


@pytest.mark.parametrize(("approve", "count"), [(True, 1), (False, 0)])
def test_ticket_is_opened_if_a_person_approves(tmp_path: Path, approve: bool, count: int) -> None:
    (content,) = call(tmp_path, "open_ticket", TICKET, approve).content
    assert ("is open" in content.text) is approve
    assert tickets(tmp_path) == count


def test_client_that_cannot_ask_opens_no_ticket(tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        call(tmp_path, "open_ticket", TICKET)
    assert "elicitation" in repr(caught.value)
    assert tickets(tmp_path) == 0


def test_port_of_another_server_is_an_error() -> None:
    class Unused:
        def predict(self, _: Any) -> Any:
            raise AssertionError

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=f"Port {port}: Address already in use") as raised:
            run_server(Unused(), "C-1", port)
    assert raised.value.exit_code == 2  # 3 would mean: retrain
