"""Checkpoints of networks: the cache key and the folder of a training run, and its files.

A run that was killed continues with its last checkpoint; one that has finished is not repeated.
"""

from collections.abc import Callable
from pathlib import Path

from .bundle import sha256
from .columns import Columns, digest


def cache_key(code: bytes, rows: Columns, options: object) -> str:
    """Return the cache key of a training run: it changes with all that decides the weights.

    Args:
        code: the files of the use case.
        rows: the columns that the training reads.
        options: hyperparameters, parameters and seed; their `repr` must show all of them.
    """
    parts = [sha256(code), sha256(repr(options).encode()), digest(rows)]
    return sha256("".join(parts).encode())[:16]


def run_folder(root: Path, key: str) -> Path:
    """Return the folder of the checkpoints of a run, in the project's folder."""
    return root / "checkpoints" / key


def write_checkpoint(path: Path, save: Callable[[Path], object]) -> None:
    """Save to a temporary file, then rename it: a kill leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"unfinished.{path.name}")  # libraries read the format off its end
    save(unfinished)
    unfinished.replace(path)
