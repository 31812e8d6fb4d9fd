"""Passages are ranked by words, by similarity or by both, with signals of how well they fit."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.encoders import WordEncoder

from project_package.support.index import Index, Passage, write_index
from project_package.support.retrieve import CANDIDATES, SIGNALS, Retriever
from project_package.support.vectors import MemoryVectors

TEXTS = {
    "hedges.md": "How high may a hedge be",
    "tiles.md": "New tiles",
    "money.md": "The price of a permit",
}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Retriever]:
    """Return what makes a retriever with weights."""
    encoder = WordEncoder()
    passages = [Passage(name, "", 0, "", "en", "", text) for name, text in TEXTS.items()]
    passages.append(replace(passages[0], text="A hedge at the road"))
    vectors = [encoder.embed([passage.text]) for passage in passages]
    write_index(tmp_path / "index", passages, vectors)
    index = Index(tmp_path / "index", MemoryVectors(tmp_path / "index"))
    return lambda dense, words, count=2: Retriever(encoder, index, dense, words, count)


def documents(retriever: Retriever, question: str) -> list[str]:
    found = retriever.find(question)
    documents = retriever.index.documents_of(found.passages)
    return [documents[number] for number in found.passages]


def test_similar_passages_need_no_common_word(make: Callable[..., Retriever]) -> None:
    assert documents(make(1, 0), "fence")[0] == "hedges.md"
    assert documents(make(1, 0), "roof")[0] == "tiles.md"


def test_words_find_what_the_encoder_does_not_know(make: Callable[..., Retriever]) -> None:
    assert documents(make(0, 1), "permit")[0] == "money.md"


def test_both_count_by_their_weights(make: Callable[..., Retriever]) -> None:
    question = "permit roof"
    assert documents(make(1, 0.1), question)[0] == "tiles.md"
    assert documents(make(1, 9.0), question)[0] == "money.md"


def test_documents_are_different(make: Callable[..., Retriever]) -> None:
    found = documents(make(1, 1, 3), "hedge")
    assert found[0] == "hedges.md"
    assert sorted(found) == sorted(TEXTS)
    assert len(documents(make(1, 1, 9), "hedge")) == len(TEXTS)


def test_long_document_hides_no_other(tmp_path: Path) -> None:
    encoder = WordEncoder()
    texts = ["The price"] + ["A hedge"] * CANDIDATES * 2 + ["The hedge"]
    passages = [Passage("long.md", "", 0, "", "en", "", text) for text in texts]
    passages.append(Passage("tiles.md", "", 0, "", "en", "", "New tiles"))
    write_index(tmp_path / "index", passages, [encoder.embed([one.text]) for one in passages])
    index = Index(tmp_path / "index", MemoryVectors(tmp_path / "index"))
    for dense, words in ((1, 0), (0, 1), (1, 1)):
        retriever = Retriever(encoder, index, dense, words, 2)
        assert documents(retriever, "hedge") == ["long.md", "tiles.md"]


def test_signals_are_high_for_what_a_passage_says(make: Callable[..., Retriever]) -> None:
    retriever = make(1, 1)
    signals = {
        question: dict(zip(SIGNALS, retriever.find(question).signals, strict=True))
        for question in ("How high may a hedge be", "Who sang this song about a hedge")
    }
    asked, other = signals.values()
    assert asked["coverage"] == pytest.approx(1)
    assert asked["unknown"] == pytest.approx(0)
    assert other["unknown"] > 0.5
    assert asked["coverage"] > other["coverage"]
    assert asked["word_score"] > other["word_score"]
    assert asked["similarity"] == pytest.approx(other["similarity"]) == pytest.approx(1)
    assert asked["lead"] == pytest.approx(asked["similarity"] - 0.01 / 1.01, abs=1e-4)


@pytest.mark.parametrize(
    ("question", "share"),
    [
        ("How high may a hedge be in Berlin?", 1),
        ("Does IKEA sell a hedge in Berlin, for a Fence?", 1),
        ("How high may a Hedge be?", 0),
        ("Berlin? Is it high?", 0),
        ("HOW HIGH MAY A HEDGE BE IN BERLIN?", 0),
        ("How high may a Hedge be in Berlin?", 0.5),
    ],
)
def test_names_that_a_passage_does_not_have(
    make: Callable[..., Retriever], question: str, share: float
) -> None:
    signals = dict(zip(SIGNALS, make(1, 1).find(question).signals, strict=True))
    assert signals["names"] == pytest.approx(share)
