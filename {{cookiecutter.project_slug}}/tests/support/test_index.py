"""The index is one SQLite file, which finds passages by words and by similarity."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from project_package.support.index import Index, Passage, words_of, write_index

PASSAGES = [
    Passage("a.md", "Fences", 0, "", "en", "garden", "A fence needs no permit.", ("hedge?",)),
    Passage("b.md", "Prices", 3, "", "en", "money", "The price is 5 SEK."),
]
VECTORS = [np.eye(3, dtype=np.float32)[:2], np.eye(3, dtype=np.float32)[2:]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "index.sqlite"
    write_index(path, PASSAGES, VECTORS)
    return path


def test_passages_are_read_as_they_were_written(path: Path) -> None:
    assert Index(path).passages == PASSAGES


def test_person_can_read_the_file(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("select document, page, questions from passages").fetchall()
    assert rows == [("a.md", 0, "hedge?"), ("b.md", 3, "")]


def test_similarity_is_that_of_the_nearest_embedding(path: Path) -> None:
    question = np.array([0.6, 0.8, 0.0], np.float32)
    nearest, own = Index(path).similarities(question)
    np.testing.assert_allclose(nearest, [0.8, 0.0])
    np.testing.assert_allclose(own, [0.6, 0.0])


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("Which price?", [False, True]),
        ("HEDGE", [True, False]),  # of an expansion
        ("fences and prices", [True, True]),  # of the titles
        ("nothing else", [False, False]),
        ('" OR NEAR(', [False, False]),  # no query of FTS5
        ("", [False, False]),
        ("_", [False, False]),
    ],
)
def test_words_are_found_in_title_text_and_questions(
    path: Path, question: str, found: list[bool]
) -> None:
    assert (Index(path).word_scores(question) > 0).tolist() == found


def test_counts_the_passages_of_words(path: Path) -> None:
    assert Index(path).counts(["price", "is", "a", "unknown"]) == {"price": 1, "is": 1, "a": 1}


def test_index_cannot_be_changed_by_a_reader(path: Path) -> None:
    before = path.read_bytes()
    Index(path).word_scores("price")
    assert path.read_bytes() == before
    assert [*path.parent.iterdir()] == [path]


def test_same_passages_give_the_same_file(path: Path, tmp_path: Path) -> None:
    write_index(tmp_path / "again", PASSAGES, VECTORS)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_rest_of_a_killed_run_is_replaced(path: Path) -> None:
    write_index(path, PASSAGES[:1], VECTORS[:1])
    assert Index(path).passages == PASSAGES[:1]


def test_words_are_different_and_in_lower_case() -> None:
    assert words_of("Är ROT, är rot-avdraget") == ["är", "rot", "avdraget"]
