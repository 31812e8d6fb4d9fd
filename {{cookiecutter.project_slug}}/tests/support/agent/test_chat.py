"""The agent over HTTP, as clients of OpenAI speak it: answers, tools, approvals, restarts."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from project_package.support.agent.chat import events
from project_package.support.agent.schemas import Reply

support = pytest.mark.parametrize("use_case", ["support"], indirect=True, scope="session")
QUESTION = "Is a building permit required for a fence or a plank?"
TICKET = "I want a ticket: the stove smokes."


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: Any) -> Iterator[openai.OpenAI]:
    """Return OpenAI's client of the server, whose files are in the test's folder."""
    monkeypatch.chdir(tmp_path)
    with openai.OpenAI(
        base_url=f"{served.client.base_url}/v1", api_key="none", max_retries=0
    ) as client:
        yield client


def talk(client: openai.OpenAI, text: str = "", **extra: Any) -> Any:
    """Send a message of customer C-1."""
    messages: Any = [{"role": "user", "content": text}] if text else []
    return client.chat.completions.create(
        model="support", messages=messages, user="C-1", extra_body=extra
    )


def tickets(folder: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(folder / "shop.db") as connection:
        return connection.execute("select customer, subject from tickets").fetchall()


@support
def test_answer_cites_documents(client: openai.OpenAI, served: Any) -> None:
    answer = talk(client, QUESTION)
    (expected,) = served.post("predict", [{"question": QUESTION}])["predictions"]
    assert answer.choices[0].message.content == expected["answer"]
    assert answer.citations == expected["passages"][:1]
    assert answer.tools == ["search_documents"]
    assert len(answer.prediction_ids) == 1


@support
def test_stream_has_the_same_answer(client: openai.OpenAI, served: Any) -> None:
    expected = talk(client, QUESTION)
    messages: Any = [{"role": "user", "content": QUESTION}]
    found = client.chat.completions.with_raw_response
    raw = found.create(model="support", messages=messages, stream=True)
    assert raw.headers["x-accel-buffering"] == "no"
    schema = served.client.get("/openapi.json").json()["paths"]["/v1/chat/completions"]["post"]
    assert raw.headers["content-type"].split(";")[0] in schema["responses"]["200"]["content"]
    chunks = [*client.chat.completions.create(model="support", messages=messages, stream=True)]
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert len([text for text in texts if text]) > 1  # one by one
    assert "".join(texts) == expected.choices[0].message.content
    assert chunks[-1].choices[0].finish_reason == "stop"
    last: Any = chunks[-1]
    assert last.citations == expected.citations


def test_chunks_of_an_answer_have_one_id_and_time() -> None:
    async def stream() -> list[str]:
        reply = Reply(text="One. Two.", thread_id="a", tools=["search_documents"])
        return [event async for event in events(reply)]

    *sent, end = asyncio.run(stream())
    chunks = [json.loads(event.removeprefix("data: ")) for event in sent]
    assert len({(chunk["id"], chunk["created"], chunk["object"]) for chunk in chunks}) == 1
    assert [chunk["tools"] for chunk in chunks] == [[], [], [], ["search_documents"]]
    assert end == "data: [DONE]\n\n"


@support
def test_order_is_shown_to_its_customer_only(client: openai.OpenAI) -> None:
    assert "wood stove" in talk(client, "Where is A-1002?").choices[0].message.content
    for order in ("A-1003", "A-9999"):
        answer = talk(client, f"Where is {order}?")
        assert answer.choices[0].message.content == "You have no such order."


@support
def test_ticket_needs_an_approval(client: openai.OpenAI, tmp_path: Path) -> None:
    asked = talk(client, TICKET)
    assert asked.approval["calls"] == [{"tool": "open_ticket", "arguments": {"subject": TICKET}}]
    assert "May I do this?" in asked.choices[0].message.content
    assert not (tmp_path / "shop.db").exists()
    approve = {"approval_id": asked.approval["id"], "approve": True}
    done = talk(client, thread_id=asked.thread_id, **approve)
    assert done.choices[0].message.content == "Ticket 1 is open: a person will answer you."
    assert tickets(tmp_path) == [("C-1", TICKET)]
    with pytest.raises(openai.ConflictError):
        talk(client, thread_id=asked.thread_id, **approve)


@support
@pytest.mark.parametrize("later", [{"approve": False}, {"text": "Where is A-1002?"}])
def test_ticket_can_be_declined(
    client: openai.OpenAI, tmp_path: Path, later: dict[str, Any]
) -> None:
    asked = talk(client, TICKET)
    later |= {"approval_id": asked.approval["id"]} if "approve" in later else {}
    answer = talk(client, thread_id=asked.thread_id, **later)
    expected = "Nothing was changed." if "approve" in later else "wood stove"
    assert expected in answer.choices[0].message.content
    assert "approval" not in answer.model_extra
    assert not (tmp_path / "shop.db").exists() or not tickets(tmp_path)


@support
def test_other_users_find_no_conversation(client: openai.OpenAI) -> None:
    asked = talk(client, TICKET)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(
            model="support",
            messages=[{"role": "user", "content": "Yes."}],
            user="C-2",
            extra_body={"thread_id": asked.thread_id},
        )


@support
@pytest.mark.parametrize(
    "body",
    [
        {"messages": []},
        {"messages": [{"role": "assistant", "content": "Hello."}]},
        {"messages": [{"role": "user", "content": "?"}]},
        {"messages": [{"role": "user", "content": "x" * 2_001}]},
        {"approve": True},
        {"approve": True, "thread_id": "a"},
        {"messages": [{"role": "user", "content": "Hello."}], "thread_id": "a b"},
    ],
)
def test_refuses_wrong_bodies(served: Any, body: dict[str, Any]) -> None:
    answer = served.client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 422, answer.text
