"""Spans of answers and of turns: what they show, and what they never have."""

import asyncio
import json
from pathlib import Path

import pytest
from opentelemetry import trace
from spans import Spans
from support.assistant import serve
from support.providers import Call, providing

from project_package.support.agent.chat import run
from project_package.support.agent.schemas import ChatMessage, ChatRequest
from project_package.support.index import Passage

PASSAGE = Passage("garden.md", "Gardens", 0, "", "en", "", "A fence may be 2 metres high.")
QUESTION = "I am anna@example.com, card:\n4111 1111 1111 1111\nHow high may my fence be?"
PERSONAL = ("anna", "example.com", "4111")


def obey(_: str, others: str) -> str | Call:
    """Search for the question, and answer it from the passage."""
    if "<passage" in others:
        return "A fence may be 2 metres high [1]."
    return "Done." if "answered" in others else Call("search_documents", {"question": QUESTION})


def ask(folder: Path, is_traced: bool) -> str:
    """Return the answer of the agent to a question, in the trace of a request or in none."""
    request = ChatRequest(messages=[ChatMessage(role="user", content=QUESTION)], user="C-1")
    served = serve(folder, PASSAGE, "openai")
    if not is_traced:
        return asyncio.run(run(served, request)).text
    with trace.get_tracer("server").start_as_current_span("POST"):
        return asyncio.run(run(served, request)).text


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in the test's folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_turn_has_a_span_of_each_step(
    folder: Path, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    with providing(obey, monkeypatch):
        assert ask(folder, True) == PASSAGE.text
    assert spans.tree() == [
        " > POST",
        "POST > plan",
        "plan > chat small",
        "POST > approve",
        "POST > search_documents",
        "search_documents > search",
        "search_documents > chat small",
        "POST > plan",
        "plan > chat small",
    ]
    assert spans.shown("POST", "Outputs") == {"text": PASSAGE.text, "tools": ["search_documents"]}
    (document,) = spans.shown("search", "Outputs")
    assert document["page_content"] == PASSAGE.text
    assert document["metadata"]["doc_uri"] == "garden.md"
    (answer,) = spans.shown("search_documents", "Outputs")["answers"]
    assert (answer["by"], answer["refused"], answer["tokens"]) == ("openai", False, 120)
    call = next(one for one in spans.all() if one.name == "chat small").attributes or {}
    assert call["gen_ai.usage.input_tokens"] == 100
    assert call["gen_ai.usage.output_tokens"] == 20
    assert json.loads(str(call["mlflow.llm.cost"]))["total_cost"] == pytest.approx(120 * 1e-7)


def test_personal_data_is_masked_in_all_spans(
    folder: Path, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    with providing(obey, monkeypatch):
        ask(folder, True)
    texts = [one.to_json() for one in spans.all()]
    assert not [text for text in texts for word in PERSONAL if word in text]
    masked = "I am [email], card:\n[card]\nHow high may my fence be?"
    assert spans.shown("search", "Inputs") == {"question": masked}
    assert "C-1" not in "".join(texts)


def test_error_has_its_type_and_no_message(
    folder: Path, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    with providing(lambda *_: 503, monkeypatch):
        ask(folder, True)
    call = next(one for one in spans.all() if one.name == "chat small")
    assert (call.status.description, call.events) == ("OpenAIAPIError", ())


def test_nothing_is_recorded_outside_of_a_trace(
    folder: Path, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    with providing(obey, monkeypatch):
        ask(folder, False)
    assert spans.all() == []
