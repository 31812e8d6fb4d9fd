"""Processor time and memory of the commands on a made table of a million rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from commands import run

ROWS, NUMBERS = 1_000_000, 20
CATEGORIES = (3, 5, 8, 12, 20, 50, 90, 2_000)  # how many values each has
FILE, TARGET = "large.parquet", "bought"
COMMANDS = (
    ("schema", FILE, "--target", TARGET),
    ("data",),
    ("train", "--set", "train.trials=1"),
    ("evaluate",),
)
MEANING = f"""\
A table with {ROWS:,} rows and 30 columns, made by formula: {NUMBERS} numbers, {len(CATEGORIES)}
categories of up to {max(CATEGORIES):,} values, yes or no, and a target of two classes. Processor
time and the largest resident memory of each command, in a new project."""


def make() -> pl.DataFrame:
    """Return the table."""
    random = np.random.default_rng(0)
    columns: dict[str, Any] = {
        f"number_{n}": random.normal(size=ROWS).round(4) for n in range(NUMBERS)
    }
    for n, count in enumerate(CATEGORIES):
        names = np.array([f"value {value}" for value in range(count)], object)
        columns[f"category_{n}"] = names[random.integers(0, count, ROWS)]
    columns["member"] = random.random(ROWS) < 0.3
    score = columns["number_0"] + columns["number_1"] * columns["number_2"] - 2
    score += 0.5 * columns["member"] + (columns["category_3"] == "value 3")
    bought = random.random(ROWS) < 1 / (1 + np.exp(-score))
    return pl.DataFrame({**columns, TARGET: np.where(bought, "yes", "no")})


def measure(folder: Path) -> Iterator[list[str]]:
    """Yield each command with its seconds of processor time and its peak memory in MiB."""
    make().write_parquet(folder / FILE)
    for arguments in COMMANDS:
        seconds, mebibytes = run(folder, "tabular", *arguments)
        yield [f"`ml {' '.join(arguments)}`", f"{seconds:.0f}", f"{mebibytes:,.0f}"]
