"""Chunks of a month, for the processes of a test: they can import this file."""

import os
import signal
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from project_package.features.chunks import Chunk, chunks

START = datetime(2026, 1, 1)
DAYS = 30
PARTS = chunks(START, START + timedelta(days=DAYS), timedelta(days=7))


def days(chunk: Chunk) -> pl.DataFrame:
    """Return the days of a chunk."""
    return pl.DataFrame(
        {"day": pl.datetime_range(chunk.start, chunk.end, closed="left", eager=True)}
    )


def kill_once(mark: Path, chunk: Chunk) -> pl.DataFrame:
    """Return the days of a chunk; the first process that computes the third one is killed."""
    if chunk == PARTS[2] and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return days(chunk)


def refuse(chunk: Chunk) -> pl.DataFrame:
    """Fail at the last chunk, when no other one is still computed."""
    if chunk == PARTS[-1]:
        raise ValueError("no")
    return days(chunk)
