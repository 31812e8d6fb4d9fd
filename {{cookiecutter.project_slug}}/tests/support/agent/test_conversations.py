"""Conversations survive a restart, in SQLite and in PostgreSQL; a second process continues them."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from servers import wait_until
from support.assistant import serve
from support.providers import Call, providing

from project_package.contract.task import Served
from project_package.errors import Unavailable
from project_package.settings import read_settings
from project_package.support.agent.chat import make_router, run
from project_package.support.agent.delete import delete_old, erase_conversations
from project_package.support.agent.graph import FAILED
from project_package.support.agent.saver import conversation_key, open_saver
from project_package.support.agent.schemas import ChatMessage, ChatRequest, Reply
from project_package.support.index import Passage
from project_package.support.settings import SupportSettings

TICKET = "I want a ticket: the stove smokes."
FENCE = Passage("garden.md", "Gardens", 0, "", "en", "", "A fence may be 2 metres high.")


class Unused:
    """A model that is not asked."""

    def predict(self, _: Any) -> Any:
        raise AssertionError


@pytest.fixture(params=["sqlite", "postgresql"])
def conversations(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Keep conversations in a file, or in a PostgreSQL of the machine."""
    monkeypatch.chdir(tmp_path)
    if request.param == "sqlite":
        yield
        return
    monkeypatch.setenv("CONVERSATIONS_URL", request.getfixturevalue("postgres"))
    yield


async def turn(user: str = "C-1", **values: Any) -> Reply:
    """Run a turn as a new process does: nothing is left of an earlier one in memory."""
    served = Served(Unused(), lambda *_: {}, lambda *_: nullcontext())
    return await run(served, ChatRequest(user=user, **values))


def asked(user: str = "C-1", text: str = TICKET, thread: str | None = None) -> Reply:
    """Ask for a ticket, which waits for an approval."""
    messages = [ChatMessage(role="user", content=text)]
    return asyncio.run(turn(user, messages=messages, thread_id=thread))


def decide(reply: Reply, approve: bool = True, user: str = "C-1") -> Reply:
    """Answer an approval."""
    return asyncio.run(turn(user, **decision(reply, approve)))


def decision(reply: Reply, approve: bool = True) -> dict[str, Any]:
    assert reply.approval
    return {
        "thread_id": reply.thread_id,
        "approval_id": reply.approval.id,
        "approve": approve,
    }


def subjects(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "shop.db") as connection:
        return [subject for (subject,) in connection.execute("select subject from tickets")]


@pytest.mark.usefixtures("conversations")
def test_approval_continues_after_a_restart(tmp_path: Path) -> None:
    reply = asked()
    assert decide(reply).text == "Ticket 1 is open: a person will answer you."
    with pytest.raises(HTTPException, match="Nothing waits"):
        decide(reply)
    assert subjects(tmp_path) == [TICKET]


@pytest.mark.usefixtures("conversations")
def test_approval_is_for_what_was_shown(tmp_path: Path) -> None:
    first = asked()
    second = asked(text="Another ticket, please", thread=first.thread_id)
    with pytest.raises(HTTPException, match="Nothing waits"):
        decide(first)
    decide(second)
    assert subjects(tmp_path) == ["Another ticket, please"]


def test_reply_to_an_approval_has_only_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def search_and_ask(_: str, others: str) -> str | Call:
        if "is open" in others:
            return "Done."
        if "It is answered." in others:
            return Call("open_ticket", {"subject": "fence"})
        if "<passage" in others:
            return "A fence may be 2 metres high [1]."
        return Call("search_documents", {"question": "How high may a fence be?"})

    monkeypatch.chdir(tmp_path)
    messages = [ChatMessage(role="user", content="How high may a fence be? I want a ticket.")]
    with providing(search_and_ask, monkeypatch):
        served = serve(tmp_path, FENCE, "openai")
        first = asyncio.run(run(served, ChatRequest(user="C-1", messages=messages)))
        assert first.text.startswith(FENCE.text)
        assert (len(first.citations), len(first.prediction_ids)) == (1, 1)
        last = asyncio.run(run(served, ChatRequest(user="C-1", **decision(first))))
    assert last.text == "Ticket 1 is open: a person will answer you."
    assert (last.tools, last.citations, last.prediction_ids) == (["open_ticket"], [], [])


def test_turn_that_ends_before_its_first_step_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERVE_ANSWER_SECONDS", "1e-9")
    assert asked().text == FAILED


@pytest.mark.usefixtures("conversations")
def test_one_of_two_approvals_at_once_counts(tmp_path: Path) -> None:
    reply = asked()

    async def approve_twice() -> list[Any]:
        both = [turn(**decision(reply)) for _ in range(2)]
        return await asyncio.gather(*both, return_exceptions=True)

    results = asyncio.run(approve_twice())
    assert sorted(isinstance(result, HTTPException) for result in results) == [False, True]
    assert subjects(tmp_path) == [TICKET]


@pytest.mark.usefixtures("conversations")
def test_conversations_of_a_customer_are_erased(tmp_path: Path) -> None:
    replies = [asked(user, "A ticket about smoke") for user in ("E-1", "E-1", "E-2")]
    assert [erase_conversations("E-1") for _ in range(2)] == [2, 0]
    with pytest.raises(HTTPException, match="no conversation"):
        decide(replies[0], user="E-1")
    assert decide(replies[2], False, "E-2").text == "Nothing was changed."
    assert erase_conversations("E-2") == 1
    if (tmp_path / "conversations.db").exists():
        assert b"smoke" not in b"".join(path.read_bytes() for path in tmp_path.glob("conv*"))


@pytest.mark.usefixtures("conversations")
def test_conversations_end_after_log_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_DAYS", "2")
    reply = asked("D-1")
    now = datetime.now(UTC)
    assert asyncio.run(delete_old(now + timedelta(days=1.99))) == 0
    assert decide(reply, False, "D-1").text == "Nothing was changed."
    assert asyncio.run(delete_old(now + timedelta(days=2.01))) >= 1
    with pytest.raises(HTTPException, match="no conversation"):
        asked("D-1", thread=reply.thread_id)


@pytest.mark.usefixtures("conversations")
def test_server_deletes_old_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = asked("D-2")
    monkeypatch.setenv("LOG_DAYS", "0.00000001")
    app = FastAPI()
    app.include_router(
        make_router(lambda: Served(Unused(), lambda *_: {}, lambda *_: nullcontext()))
    )
    with TestClient(app):
        wait_until(lambda: not exists(reply))


def exists(reply: Reply) -> bool:
    """Return whether a conversation of D-2 is stored."""

    async def find() -> bool:
        async with open_saver(read_settings(SupportSettings)) as saver:
            key = conversation_key("D-2", reply.thread_id)
            return await saver.aget({"configurable": {"thread_id": key}}) is not None

    return asyncio.run(find())


@pytest.mark.usefixtures("conversations")
def test_conversations_are_apart() -> None:
    first, second = asked(), asked()
    assert first.thread_id != second.thread_id
    assert decide(first, approve=False).text == "Nothing was changed."
    assert decide(second).text.startswith("Ticket 1")
    first.thread_id = "other"
    with pytest.raises(HTTPException, match="no conversation 'other'"):
        decide(first)


@pytest.mark.parametrize("address", ["postgresql://127.0.0.1:9/x?connect_timeout=1", ""])
def test_unreachable_conversations_are_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONVERSATIONS_URL", address)
    (tmp_path / "conversations.db").write_text("no database, but a text" * 100)
    with pytest.raises(Unavailable, match="not available: retry later"):
        asked()
    with pytest.raises(Unavailable, match="not available"):
        erase_conversations("C-1")
