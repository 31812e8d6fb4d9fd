"""Simulated traffic: clauses of owners that training did not see, as they are or changed."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from ..contract.simulation import Json, Simulation
from .dataset import ROWS
from .params import ContractsParams
from .split import split

CLAUSES_A_DAY = 240  # more than monitor.min_rows
MISREAD = 0.25  # share of the letters of a scan that are read wrongly, at strength 1
GUIDELINE = {
    "definitions": "terms",
    "grant": "licence",
    "misc": "general",
    "redistribution": "sharing",
    "restrictions": "prohibitions",
    "termination": "end",
}
"""New names of types; with fewer of them, too little of the score is lost for an alarm."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def day(params: ContractsParams, folder: Path, number: int) -> pl.DataFrame:
    """Return clauses of the test, in an order of the day."""
    test = pl.DataFrame(dict(split(params, folder).test))
    drawn = test.sample(CLAUSES_A_DAY, with_replacement=True, seed=number)
    return drawn.with_columns(
        document=pl.format("day-{}-{}", pl.lit(number), "document"),
        clause=pl.int_range(1, pl.len() + 1),
    )


def requests(rows: pl.DataFrame) -> list[Json]:
    """Return clauses with their documents."""
    short = pl.col("document").str.slice(0, 64)
    return rows.select("text", "clause", document_id=short).to_dicts()


def labels(rows: pl.DataFrame) -> list[Json]:
    """Return the types."""
    return rows.select("type").to_dicts()


def write_source(folder: Path, rows: pl.DataFrame, file: Path) -> tuple[str, ...]:
    """Write the clauses, and those of the data set, into a table.

    If clauses follow the new guideline, people have labelled the data set by it, too.
    """
    known = pl.read_parquet(folder / ROWS)
    if rows["type"].is_in([*GUIDELINE.values()]).any():
        known = concept(known)
    table = file.with_suffix(".parquet")
    pl.concat([rows, known], how="diagonal_relaxed").write_parquet(table)
    return (f"data.source={json.dumps(str(table))}",)


def scanned(rows: pl.DataFrame, strength: float, random: np.random.Generator) -> pl.DataFrame:
    """Replace letters by others, as of documents that were scanned badly."""

    def misread(text: str) -> str:
        wrong = random.random(len(text)) < MISREAD * strength
        letters = random.choice([*LETTERS], len(text))
        return "".join(
            letter if is_wrong and character.isalpha() else character
            for character, letter, is_wrong in zip(text, letters, wrong, strict=True)
        )

    return rows.with_columns(pl.col("text").map_elements(misread, pl.String))


def cut(rows: pl.DataFrame, _: float, __: np.random.Generator) -> pl.DataFrame:
    """Keep the first three words, as of a parser that splits too often."""
    return rows.with_columns(pl.col("text").str.split(" ").list.head(3).list.join(" "))


def population(rows: pl.DataFrame, _: float, __: np.random.Generator) -> pl.DataFrame:
    """Keep liability and warranty, as of documents with nothing else."""
    return rows.filter(pl.col("type").is_in(["liability", "warranty"]))


def concept(rows: pl.DataFrame, *_: object) -> pl.DataFrame:
    """Name types by the new guideline."""
    return rows.with_columns(pl.col("type").replace(GUIDELINE))


def make_simulation(params: ContractsParams) -> Simulation:
    """Return how clauses are simulated."""
    return Simulation(
        day=partial(day, params),
        damages={
            "shift": scanned,
            "broken": cut,
            "population": population,
            "concept": concept,
        },
        requests=requests,
        labels=labels,
        write_source=write_source,
        collect_days=6,
    )
