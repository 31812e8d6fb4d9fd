"""Checkpoints of networks: the cache key and the folder of a training run, and its files.

A run that was killed continues with its last checkpoint; one that has finished is not repeated.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .bundle import sha256
from .columns import Columns


def cache_key(code: bytes, rows: Columns, options: object) -> str:
    """Return the cache key of a training run: it changes with all that decides the weights.

    Args:
        code: the files of the use case.
        rows: the columns that the training reads.
        options: hyperparameters, parameters and seed; their `repr` must show all of them.
    """
    columns = [_digest(name, values) for name, values in rows.items()]
    parts = [sha256(code), sha256(repr(options).encode()), *columns]
    return sha256("".join(parts).encode())[:16]


def _digest(name: str, values: NDArray[Any]) -> str:
    """Return the SHA-256 of the name, type, shape and values of a column."""
    total = hashlib.sha256(f"{name}{values.dtype} {values.shape} ".encode())
    if values.dtype == object:  # value by value: the text of all may not fit in memory
        for number, value in enumerate(values.tolist()):
            total.update(f"{', ' if number else '['}{value!r}".encode())
        total.update(b"]")
    else:
        total.update(values.tobytes())
    return total.hexdigest()


def run_folder(root: Path, key: str) -> Path:
    """Return the folder of the checkpoints of a run, in the project's folder."""
    return root / "checkpoints" / key


def write_checkpoint(path: Path, save: Callable[[Path], object]) -> None:
    """Save to a temporary file, then rename it: a kill leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"unfinished.{path.name}")  # libraries read the format off its end
    save(unfinished)
    unfinished.replace(path)
