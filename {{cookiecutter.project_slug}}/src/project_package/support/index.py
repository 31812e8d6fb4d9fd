"""The index of the passages: one SQLite file with their texts, words and embeddings.

A person can open it with `sqlite3`. It is written once, and then only read. Texts and words are
read from the file when a question needs them.
"""

import json
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

from .vectors import VectorStore

INDEX = "index.sqlite"  # the large file of a bundle
SCHEMA = """
create table passages (
    number integer primary key, document text, title text, page integer, link text, language text,
    topic text, text text, questions text
);
create index documents on passages (document);
create table embeddings (passage integer, embedding blob);
create virtual table words using fts5 (
    title, text, questions, content = passages, content_rowid = number,
    tokenize = 'unicode61 remove_diacritics 0'
);
create virtual table terms using fts5vocab (words, row);
"""
INSERT = "insert into passages values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
TOTALS = "select count(*), count(distinct document) from passages"
PASSAGES = "select * from passages where number in (select value from json_each(?))"
DOCUMENTS = "select number, document from passages where number in (select value from json_each(?))"
MEMBERS = "select number, document from passages where document in (select value from json_each(?))"
COUNT = "select term, doc from terms where term in (select value from json_each(?))"
BEST = """
select rowid, -bm25(words) as score from words where words match ?
order by score desc, rowid limit ?
"""
SCORES = """
select rowid, -bm25(words) from words where words match ?
and +rowid in (select value from json_each(?))
"""
"""With + SQLite searches once; without, again for each passage."""


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
    """An index that is read; threads may share it.

    Attributes:
        vectors: The embeddings, in memory or elsewhere.
        count: How many passages there are.
        documents: How many documents they are of.
    """

    def __init__(self, path: Path, vectors: VectorStore) -> None:
        """Open the file."""
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        self._connection = sqlite3.connect(address, uri=True, check_same_thread=False)
        self._lock = threading.Lock()
        self.vectors = vectors
        ((self.count, self.documents),) = self._read(TOTALS)

    def passages(self, numbers: Iterable[int]) -> dict[int, Passage]:
        """Return passages by number."""
        found = self._read(PASSAGES, json.dumps([*numbers]))
        rows = ((number, *fields, tuple(asked.splitlines())) for number, *fields, asked in found)
        return {number: Passage(*fields) for number, *fields in rows}

    def documents_of(self, numbers: Iterable[int]) -> dict[int, str]:
        """Return the documents of passages, by number, in ascending order."""
        return dict(sorted(self._read(DOCUMENTS, json.dumps([*numbers]))))

    def members(self, documents: Iterable[str]) -> dict[int, str]:
        """Return the documents of all passages of documents, by number."""
        return dict(self._read(MEMBERS, json.dumps([*documents])))

    def matching(self, question: str, count: int) -> dict[int, float]:
        """Return the highest BM25 scores by number of passage, in descending order."""
        return self._match(BEST, question, count)

    def word_scores(self, question: str, numbers: Iterable[int]) -> dict[int, float]:
        """Return BM25 of passages by number, without those that have no word of the question."""
        return self._match(SCORES, question, json.dumps([*numbers]))

    def counts(self, words: Iterable[str]) -> Mapping[str, int]:
        """Return how many passages have each word, without those that none has."""
        return dict(self._read(COUNT, json.dumps([*words])))

    def _match(self, sql: str, question: str, value: int | str) -> dict[int, float]:
        query = " OR ".join(f'"{word}"' for word in words_of(question))
        return dict(self._read(sql, query, value)) if query else {}

    def _read(self, sql: str, *values: int | str) -> list[Any]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()
