"""Documents over HTTP: each clause has an answer, and a hostile file is refused."""

from typing import Any

import pytest
from contracts.files import docx
from pdf_files import pdf

contracts = pytest.mark.parametrize("use_case", ["contracts"], indirect=True, scope="session")
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
TEXT = "1. Governing Law. The laws of France apply.\n2. Notices. Notices are in writing.\n"
FILES = {
    "application/pdf": pdf(*TEXT.splitlines()),
    DOCX: docx(*(("Normal", line) for line in TEXT.splitlines())),
    "text/plain": TEXT.encode(),
}


@contracts
@pytest.mark.parametrize("kind", FILES)
def test_each_clause_of_a_document_has_an_answer(served: Any, kind: str) -> None:
    headers = {"content-type": kind}
    answer = served.client.post("/v1/predict", content=FILES[kind], headers=headers)
    found = answer.json()["predictions"]
    assert [(one["clause"], one["heading"]) for one in found] == [
        (1, "Governing Law"),
        (2, "Notices"),
    ]
    assert [one["page"] for one in found] == ([1, 2] if kind == "application/pdf" else [1, 1])
    (alone,) = served.post("predict", [{"text": "The laws of France apply."}])["predictions"]
    names = ("type", "confidence", "decision")
    assert [found[0][name] for name in names] == [alone[name] for name in names]


@contracts
@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "has no text"), (b"%PDF-1.4 nothing else", "is damaged"), (b"\xff", "is no PDF")],
)
def test_what_is_no_document_is_refused(served: Any, content: bytes, message: str) -> None:
    headers = {"content-type": "application/pdf"}
    answer = served.client.post("/v1/predict", content=content, headers=headers)
    (error,) = answer.json()["detail"]
    assert (answer.status_code, error["loc"]) == (422, ["body"])
    assert message in error["msg"]


@contracts
def test_words_are_found_in_the_text(served: Any) -> None:
    text = "  The laws of France apply, and its courts decide."
    (found,) = served.post("predict", [{"text": text, "explain": True}])["predictions"]
    assert 1 <= len(found["words"]) <= 3
    assert all(text[one["start"] : one["end"]] in text.split() for one in found["words"])
    effects = [one["effect"] for one in found["words"]]
    assert effects == sorted(effects, reverse=True)


@contracts
@pytest.mark.parametrize("text", ["", " \n ", "x" * 20_001])
def test_refuses_empty_and_endless_clauses(served: Any, text: str) -> None:
    answer = served.client.post("/v1/predict", json={"instances": [{"text": text}]})
    (error,) = answer.json()["detail"]
    assert (answer.status_code, error["loc"]) == (422, ["body", "instances", 0, "text"])
