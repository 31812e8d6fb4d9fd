"""The index is one SQLite file, which finds passages by words and by similarity."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from project_package.support.index import Index, Passage, words_of, write_index
from project_package.support.vectors import MemoryVectors

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


def open_index(path: Path) -> Index:
    return Index(path, MemoryVectors(path))


def read(path: Path) -> list[Passage]:
    return [*open_index(path).passages(range(9)).values()]


def test_passages_are_read_as_they_were_written(path: Path) -> None:
    assert read(path) == PASSAGES
    index = open_index(path)
    assert index.passages([1]) == {1: PASSAGES[1]}
    assert (index.count, index.documents) == (2, 2)
    assert index.documents_of([1, 0]) == index.members(["b.md", "a.md"]) == {0: "a.md", 1: "b.md"}


def test_person_can_read_the_file(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("select document, page, questions from passages").fetchall()
    assert rows == [("a.md", 0, "hedge?"), ("b.md", 3, "")]


def test_similarity_is_that_of_the_nearest_embedding(path: Path) -> None:
    question = np.array([0.6, 0.8, 0.0], np.float32)
    vectors = MemoryVectors(path)
    cosines = vectors.cosines(question, [0, 1])
    np.testing.assert_allclose(np.array([*cosines.values()]), np.array([[0.8, 0.6], [0, 0]]))
    assert vectors.cosines(question, [1]) == {1: cosines[1]}
    assert [vectors.nearest(question, count) for count in (1, 9)] == [[0], [0, 1]]


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
    scores = open_index(path).matching(question, 9)
    assert [number in scores for number in (0, 1)] == found
    assert open_index(path).word_scores(question, [0, 1]) == pytest.approx(scores)
    assert open_index(path).word_scores(question, [1]).keys() == scores.keys() - {0}


def test_best_passages_by_words_are_first(path: Path) -> None:
    scores = open_index(path).matching("the fences", 9)
    assert [*scores] == sorted(scores, key=scores.__getitem__, reverse=True)
    assert [*open_index(path).matching("the fences", 1)] == [*scores][:1]


def test_counts_the_passages_of_words(path: Path) -> None:
    assert open_index(path).counts(["price", "is", "a", "unknown"]) == {"price": 1, "is": 1, "a": 1}


def test_index_cannot_be_changed_by_a_reader(path: Path) -> None:
    before = path.read_bytes()
    open_index(path).matching("price", 1)
    assert path.read_bytes() == before
    assert [*path.parent.iterdir()] == [path]


def test_same_passages_give_the_same_file(path: Path, tmp_path: Path) -> None:
    write_index(tmp_path / "again", PASSAGES, VECTORS)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_rest_of_a_killed_run_is_replaced(path: Path) -> None:
    write_index(path, PASSAGES[:1], VECTORS[:1])
    assert read(path) == PASSAGES[:1]


def test_words_are_different_and_in_lower_case() -> None:
    assert words_of("Är ROT, är rot-avdraget") == ["är", "rot", "avdraget"]
