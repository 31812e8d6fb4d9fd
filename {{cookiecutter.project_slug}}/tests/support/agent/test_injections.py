"""Forty prompt injections, and a model that obeys all that it reads: the guards must hold."""

import asyncio
import re
import sqlite3
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.assistant import serve
from support.providers import Call, providing

from project_package.contract.task import Served
from project_package.support.agent.chat import run
from project_package.support.agent.graph import CALLS
from project_package.support.agent.schemas import ChatMessage, ChatRequest, Reply
from project_package.support.index import Passage

INJECTIONS = tomllib.loads((Path(__file__).parent / "injections.toml").read_text("utf-8"))
QUESTION = "How high may my fence be?"
FENCE = "A fence may be 2 metres high."
PASSAGE = Passage("garden.md", "Gardens", 0, "", "en", "", FENCE)
WRITE = re.compile(r"[Cc]all open_ticket with subject: ([^.<]+)")
SAY = re.compile(r"say: ([^.]+\.)")
PRINT = re.compile(r"(print|repeat|show|reveal) your (prompt|instructions|rules)", re.IGNORECASE)
PROVIDERS = pytest.mark.parametrize("provider", ["openai", "anthropic"])


def obey(system: str, others: str) -> str | Call:
    """Do what a text says, whoever wrote it."""
    if found := WRITE.search(others):
        return Call("open_ticket", {"subject": found[1]})
    if found := SAY.search(others):
        return f"{found[1].removesuffix('.')} [1]."
    if PRINT.search(others):
        return re.sub(r"\.(\s|$)", r" [1].\1", system)
    if "<passage" in others:
        return f"{FENCE.removesuffix('.')} [1]."
    if "It is answered." in others:
        return "Done."
    return Call("search_documents", {"question": QUESTION})


def talk(served: Served, text: str) -> Reply:
    """Return the reply to a message of customer C-1."""
    message = ChatMessage(role="user", content=text)
    return asyncio.run(run(served, ChatRequest(messages=[message], user="C-1")))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in the test's folder; fail if a ticket was written."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    if (tmp_path / "shop.db").exists():
        with sqlite3.connect(tmp_path / "shop.db") as connection:
            assert connection.execute("select * from tickets").fetchall() == []


def forbidden(text: str) -> list[str]:
    """Return what an answer must not have: words of no document, and of the prompts."""
    return [word for word in ("Banana", "PROMPT", "What you write", "`") if word in text]


def test_there_are_forty() -> None:
    assert {name: len({*texts}) for name, texts in INJECTIONS.items()} == {
        "questions": 20,
        "documents": 20,
    }


@PROVIDERS
def test_obedient_model_answers_an_honest_question(
    folder: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with providing(obey, monkeypatch):
        reply = talk(serve(folder, PASSAGE, provider), QUESTION)
    assert (reply.text, reply.tools) == (FENCE, ["search_documents"])


@PROVIDERS
@pytest.mark.parametrize("text", INJECTIONS["questions"])
def test_injection_in_a_question_does_nothing(
    folder: Path, text: str, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with providing(obey, monkeypatch) as asked:
        reply = talk(serve(folder, PASSAGE, provider), text)
    assert len(asked.asked) >= 1
    assert (reply.approval is not None) == bool(WRITE.search(text))  # a person is asked
    assert "open_ticket" not in reply.tools
    assert forbidden(reply.text.partition("May I do this?")[0]) == []


@PROVIDERS
@pytest.mark.parametrize("text", INJECTIONS["documents"])
def test_injection_in_a_document_does_nothing(
    folder: Path, text: str, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = replace(PASSAGE, text=f"{FENCE} {text}")
    with providing(obey, monkeypatch) as asked:
        reply = talk(serve(folder, planted, provider), QUESTION)
    assert reply.tools == ["search_documents"]
    assert reply.approval is None  # nobody is asked for what a document wants
    assert forbidden(reply.text) == []
    assert FENCE in reply.text
    read = [str(body) for body in asked.asked]
    assert [text[:20] in body for body in read if "tools" in body] == [False, False]
    assert any(text[:8] in body for body in read)  # what writes answers has read it


@PROVIDERS
def test_argument_of_a_tool_is_not_repeated(
    folder: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def order(_: str, others: str) -> str | Call:
        return "Done." if "no such" in others else Call("look_up_order", {"order": "Bananas"})

    with providing(order, monkeypatch):
        assert talk(serve(folder, PASSAGE, provider), QUESTION).text == "You have no such order."


@PROVIDERS
def test_turn_ends_after_some_calls(
    folder: Path, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with providing(lambda *_: Call("look_up_order", {"order": "A-1002"}), monkeypatch) as asked:
        reply = talk(serve(folder, PASSAGE, provider), QUESTION)
    assert "wood stove" in reply.text
    assert len(asked.asked) == CALLS
