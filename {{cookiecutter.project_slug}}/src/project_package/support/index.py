"""The index of the passages: one SQLite file with their texts, words and embeddings.

A person can open it with `sqlite3`. It is written once, and then only read.
"""

import re
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

INDEX = "index.sqlite"  # the large file of a bundle
SCHEMA = """
create table passages (
    number integer primary key, document text, title text, page integer, link text, language text,
    topic text, text text, questions text
);
create table embeddings (passage integer, embedding blob);
create virtual table words using fts5 (
    title, text, questions, content = passages, content_rowid = number,
    tokenize = 'unicode61 remove_diacritics 0'
);
create virtual table terms using fts5vocab (words, row);
"""
INSERT = "insert into passages values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
SEARCH = "select rowid, -bm25(words) from words where words match ?"
COUNT = "select term, doc from terms where term in ({marks})"
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Passage:
    """A part of a document."""

    document: str
    title: str
    page: int
    """Where it begins, from 1; 0 in a format without pages."""
    link: str
    language: str
    topic: str
    text: str
    questions: tuple[str, ...] = ()
    """Questions that it answers, which the search reads too."""


def write_index(
    path: Path, passages: Iterable[Passage], embeddings: Iterable[NDArray[np.float32]]
) -> None:
    """Write a file.

    A passage has embeddings of its text and of its questions: (texts, dimensions).
    """
    path.unlink(missing_ok=True)  # a killed run may have left a part of it
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(SCHEMA)
        for number, (passage, vectors) in enumerate(zip(passages, embeddings, strict=True)):
            *fields, questions = astuple(passage)
            connection.execute(INSERT, (number, *fields, "\n".join(questions)))
            rows = ((number, vector.tobytes()) for vector in vectors)
            connection.executemany("insert into embeddings values (?, ?)", rows)
        connection.execute("insert into words (words) values ('rebuild')")


def words_of(text: str) -> list[str]:
    """Return the different words of a text in lower case, in their order."""
    return [*dict.fromkeys(re.findall(r"\w+", normalize("NFC", text).lower()))]


class Index:
    """An index that is read; threads may share it."""

    def __init__(self, path: Path) -> None:
        """Open the file, and read passages and embeddings into memory: 1.5 kB an embedding."""
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        self._connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        self._lock = threading.Lock()
        found = self._connection.execute("select * from passages order by number")
        rows = [(*row[1:-1], tuple(row[-1].splitlines())) for row in found]
        self.passages = [Passage(*row) for row in rows]
        self._documents: dict[str, list[int]] = {}
        for number, passage in enumerate(self.passages):
            self._documents.setdefault(passage.document, []).append(number)
        vectors = self._connection.execute("select * from embeddings order by rowid").fetchall()
        self._embeddings = np.array([np.frombuffer(vector, np.float32) for _, vector in vectors])
        self._starts = np.unique([passage for passage, _ in vectors], return_index=True)[1]

    def similarities(self, embedding: NDArray[np.float32]) -> tuple[Scores, Scores]:
        """Return cosines of a question and of each passage, (passages,) each.

        The first are those of its nearest embedding, the others of the first one, its own text.
        """
        cosines = self._embeddings @ embedding
        return np.maximum.reduceat(cosines, self._starts), cosines[self._starts]

    def passages_of(self, number: int) -> list[int]:
        """Return the passages of the same document as a passage, itself among them."""
        return self._documents[self.passages[number].document]

    def word_scores(self, question: str) -> Scores:
        """Return BM25 of each passage, (passages,): 0 where it has no word of the question."""
        scores = np.zeros(len(self.passages), np.float32)
        query = " OR ".join(f'"{word}"' for word in words_of(question))
        if query:
            for number, score in self._read(SEARCH, query):
                scores[number] = score
        return scores

    def counts(self, words: Iterable[str]) -> Mapping[str, int]:
        """Return how many passages have each word, without those that none has."""
        asked = [*words]
        return dict(self._read(COUNT.format(marks=", ".join("?" * len(asked))), *asked))

    def _read(self, sql: str, *values: str) -> list[Any]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()
