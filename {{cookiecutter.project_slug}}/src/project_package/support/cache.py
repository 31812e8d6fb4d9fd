"""Embeddings of the texts that were embedded before: a new document costs no more than its own."""

import os
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import numpy as np

from ..errors import UserError
from .encoder import Embeddings, TextEncoder

LONGEST_WAIT = 60.0  # seconds for another process that writes
PART = 100  # texts that are read or written at once
CREATE = "create table if not exists embeddings (key blob primary key, embedding blob)"
INSERT = "insert or replace into embeddings values (?, ?)"


class EmbeddingCache:
    """A file with embeddings, by encoder and text; several processes may use it."""

    def __init__(self, path: Path, encoder: TextEncoder, name: str) -> None:
        """Take a file, which need not exist; `name` identifies the encoder and its code."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._encoder = encoder
        self._known: dict[str, bytes] = {}
        self.name = name

    def embed(self, texts: Sequence[str]) -> Embeddings:
        """Return embeddings, (texts, dimensions), as `Encoder.embed`.

        Raises:
            UserError: the file cannot be used.
        """
        if new := [text for text in dict.fromkeys(texts) if text not in self._known]:
            try:
                with closing(sqlite3.connect(self._path, timeout=LONGEST_WAIT)) as connection:
                    connection.execute(CREATE)
                    for start in range(0, len(new), PART):  # a kill loses one part
                        self._known |= self._complete(connection, new[start : start + PART])
            except sqlite3.Error as error:
                advice = "delete it if it is damaged"
                raise UserError(f"{self._path} cannot be used ({error}): {advice}.") from error
        return np.array([np.frombuffer(self._known[text], np.float32) for text in texts])

    def _complete(
        self, connection: sqlite3.Connection, texts: Sequence[str]
    ) -> Mapping[str, bytes]:
        """Return the embeddings of texts; those that the file does not have are added."""
        keys = {sha256(f"{self.name} {text}".encode()).digest(): text for text in texts}
        marks = ", ".join("?" * len(keys))
        select = f"select key, embedding from embeddings where key in ({marks})"  # noqa: S608
        stored = dict(connection.execute(select, [*keys]))
        missing = [key for key in keys if key not in stored]
        with ThreadPoolExecutor(os.cpu_count()) as threads:  # the encoder takes one thread a text
            found = threads.map(lambda key: self._encoder.embed([keys[key]])[0], missing)
            new = {key: vector.tobytes() for key, vector in zip(missing, found, strict=True)}
        with connection:
            connection.executemany(INSERT, new.items())
        return {text: (stored | new)[key] for key, text in keys.items()}
