"""Simulated traffic: questions of the test, as they are or changed."""

import json
import tomllib
from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ..contract.simulation import Json, Simulation
from .dataset import ASKED, EXPANSIONS, SEPARATOR
from .params import SupportParams
from .schemas import MAX_SLOW
from .split import split

QUESTIONS_A_DAY = 240  # more than monitor.min_rows
NEW_SHARE = 0.6  # of the questions of a day that are about the new topic
TYPOS = 0.25  # share of the letters that are typed wrongly, at strength 1
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def day(params: SupportParams, folder: Path, number: int) -> pl.DataFrame:
    """Return questions of the test, in an order of the day."""
    test = split(params, folder).test
    columns = {name: test[name] for name in ("question", "language", "topic", "kind")}
    answers = pl.Series("documents", [list(some) for some in test["answers"]], pl.List(pl.String))
    table = pl.DataFrame(columns).with_columns(answers)
    drawn = table.sample(QUESTIONS_A_DAY, with_replacement=True, seed=number)
    return drawn.with_columns(customer=pl.format("{}-{}", pl.lit(number), pl.int_range(pl.len())))


def requests(rows: pl.DataFrame) -> list[Json]:
    """Return questions with their customers."""
    return rows.select("question", customer_id="customer").to_dicts()


def labels(rows: pl.DataFrame) -> list[Json]:
    """Return the documents that answer."""
    return rows.select("documents").to_dicts()


def new_topic() -> dict[str, Any]:
    """Return the documents of a topic that the FAQ does not have, with questions about them."""
    text = (resources.files(__package__) / "new_topic.toml").read_text("utf-8")
    return tomllib.loads(text)


def write_source(
    params: SupportParams, _folder: Path, rows: pl.DataFrame, file: Path
) -> tuple[str, ...]:
    """Write the questions into a folder, with the documents of the new topic if they need them."""
    folder = file.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    columns = ("question", "language", "topic", "kind", "documents")
    table = rows.select(columns).with_columns(pl.col("documents").list.join(SEPARATOR))
    table.write_csv(folder / ASKED)
    topic = new_topic()
    if (rows["topic"] == topic["topic"]).any():
        write_documents(topic, folder)
    sources = [*params.data.sources, str(folder)]
    return (f"data.sources={json.dumps(sources)}",)


def write_documents(topic: dict[str, Any], folder: Path) -> None:
    """Write the documents of a topic as Markdown, and their expansions."""
    expansions = []
    for number, document in enumerate(topic["documents"]):
        path = folder / name_of(topic, number)
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# {document['title']}\n\n{document['text']}\n", "utf-8")
        name = name_of(topic, number)
        expansions += [{"document": name, "question": asked} for asked in document["search"]]
    pl.DataFrame(expansions).write_csv(folder / EXPANSIONS)


def name_of(topic: dict[str, Any], number: int) -> str:
    """Return the path of a document of a topic."""
    return f"{topic['topic']}/{number}.md"


def mistyped(rows: pl.DataFrame, strength: float, random: np.random.Generator) -> pl.DataFrame:
    """Replace letters by others."""

    def mistype(text: str) -> str:
        wrong = random.random(len(text)) < TYPOS * strength
        letters = random.choice([*LETTERS], len(text))
        return "".join(
            letter if is_wrong and character.isalpha() else character
            for character, letter, is_wrong in zip(text, letters, wrong, strict=True)
        )

    return rows.with_columns(pl.col("question").map_elements(mistype, pl.String))


def cut(rows: pl.DataFrame, *_: object) -> pl.DataFrame:
    """Keep the first two words, as of a client that cuts texts."""
    return rows.with_columns(pl.col("question").str.split(" ").list.head(2).list.join(" "))


def population(rows: pl.DataFrame, *_: object) -> pl.DataFrame:
    """Keep the questions in Swedish."""
    return rows.filter(pl.col("language") == "sv")


def concept(rows: pl.DataFrame, strength: float, random: np.random.Generator) -> pl.DataFrame:
    """Ask about a topic that no document has."""
    topic = new_topic()
    asked = [
        {"question": question, "documents": [name_of(topic, number)]}
        for number, document in enumerate(topic["documents"])
        for question in document["asked"]
    ]
    chosen = [asked[index] for index in random.integers(0, len(asked), len(rows))]
    new = pl.DataFrame(chosen).with_columns(
        language=pl.lit("en"), topic=pl.lit(topic["topic"]), kind=pl.lit("answerable")
    )
    changed = pl.Series(random.random(len(rows)) < NEW_SHARE * strength)
    return rows.with_columns(
        pl.when(changed).then(new[name]).otherwise(pl.col(name)).alias(name) for name in new.columns
    )


def make_simulation(params: SupportParams) -> Simulation:
    """Return how questions are simulated."""
    simulation = Simulation(
        day=partial(day, params),
        damages={
            "shift": mistyped,
            "broken": cut,
            "population": population,
            "concept": concept,
        },
        requests=requests,
        labels=labels,
        write_source=partial(write_source, params),
    )
    is_slow = params.llm.provider or params.passages.reranker
    return replace(simulation, body=MAX_SLOW) if is_slow else simulation
