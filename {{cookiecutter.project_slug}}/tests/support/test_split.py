"""Questions of a topic are in training or in test; documents are in training."""

from pathlib import Path

import polars as pl
import pytest

from project_package.errors import UserError
from project_package.support.dataset import DOCUMENTS, QUESTIONS, SCHEMA
from project_package.support.params import SupportParams
from project_package.support.split import split

PARAMS = SupportParams(name="tiny")


def write(folder: Path, topics: int) -> None:
    """Write two documents, and 60 questions on some topics."""
    fields = ("document", "title", 0, "", "en", "garden", "text", ["Why?"])
    documents = [
        dict(zip(SCHEMA, (f"{name}{fields[0]}", *fields[1:]), strict=True)) for name in "ab"
    ]
    pl.DataFrame(documents, schema=SCHEMA).write_parquet(folder / DOCUMENTS)
    rows = range(60)
    questions = {
        "question": [f"question {row}" for row in rows],
        "language": ["en"] * 60,
        "topic": [f"T{row % topics}" for row in rows],
        "kind": ["answerable"] * 60,
        "documents": [["adocument"]] * 60,
    }
    pl.DataFrame(questions).write_parquet(folder / QUESTIONS)


def test_topic_is_on_one_side(tmp_path: Path) -> None:
    write(tmp_path, 12)
    splits = split(PARAMS, tmp_path)
    sides = [(splits.train, splits.test), *((fold.train, fold.valid) for fold in splits.folds)]
    assert len(sides) == 4
    for train, test in sides:
        assert train["document"][-2:].tolist() == ["adocument", "bdocument"]
        assert "" not in test["question"]
        assert not {*train["topic"][:-2]} & {*test["topic"]}
    assert 10 <= len(splits.test["question"]) <= 50
    assert {*splits.train["question"]} & {*splits.test["question"]} == set()


def test_split_depends_on_the_seed_only(tmp_path: Path) -> None:
    write(tmp_path, 12)
    again = [split(PARAMS.model_copy(update={"seed": seed}), tmp_path) for seed in (1, 1, 2)]
    first, second, third = (one.test["question"].tolist() for one in again)
    assert first == second != third


def test_topic_stays_where_it_is_when_others_come(tmp_path: Path) -> None:
    tested = {}
    for topics in (12, 20):
        write(tmp_path, topics)
        tested[topics] = {*split(PARAMS, tmp_path).test["topic"]}
    known = {f"T{number}" for number in range(12)}
    assert tested[12] == tested[20] & known
    assert len(tested[20]) > len(tested[12]) > 2


def test_few_topics_are_an_error(tmp_path: Path) -> None:
    write(tmp_path, 3)
    with pytest.raises(UserError, match=r"are for the test and \d for training, which needs 3"):
        split(PARAMS, tmp_path)
