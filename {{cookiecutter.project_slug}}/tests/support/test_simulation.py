"""Simulated days have questions of the test, as they are or damaged."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from project_package.support.dataset import ASKED, load_data, read_rows
from project_package.support.params import SupportParams
from project_package.support.simulation import (
    NEW_SHARE,
    QUESTIONS_A_DAY,
    concept,
    cut,
    day,
    labels,
    make_simulation,
    mistyped,
    name_of,
    new_topic,
    population,
    requests,
    write_source,
)

PARAMS = SupportParams(name="faq")
LLM = {"provider": "openai", "model": "small", "usd_read": 0, "usd_written": 0}
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    load_data(PARAMS, folder, lambda _: None)
    return folder


def test_days_differ_and_repeat(folder: Path) -> None:
    first, again, other = (day(PARAMS, folder, number) for number in (0, 0, 1))
    assert len(first) == QUESTIONS_A_DAY
    assert first.equals(again)
    assert first["question"].to_list() != other["question"].to_list()
    assert [*requests(first)[0]] == ["question", "customer_id"]
    assert labels(first)[0] == {"documents": first["documents"][0].to_list()}


def test_typing_errors_change_a_quarter_of_the_letters() -> None:
    rows = pl.DataFrame({"question": ["a" * 10_000 + " 1?"]})
    (text,) = mistyped(rows, 1.0, RANDOM)["question"]
    assert np.mean([letter != "a" for letter in text[:10_000]]) == pytest.approx(0.24, abs=0.02)
    assert text.endswith(" 1?")
    assert mistyped(rows, 0.0, RANDOM)["question"].to_list() == rows["question"].to_list()


def test_other_damages_cut_and_choose(folder: Path) -> None:
    rows = day(PARAMS, folder, 0)
    assert max(len(question.split()) for question in cut(rows)["question"]) == 2
    assert {*population(rows)["language"]} == {"sv"}


def test_new_topic_is_asked_about_and_then_documented(folder: Path, tmp_path: Path) -> None:
    rows = concept(day(PARAMS, folder, 0), 1.0, RANDOM)
    topic = new_topic()
    is_new = rows["topic"] == topic["topic"]
    assert is_new.mean() == pytest.approx(NEW_SHARE, abs=0.1)
    (setting,) = write_source(PARAMS, folder, rows, tmp_path / "source")
    sources = json.loads(setting.removeprefix("data.sources="))
    assert sources == ["faq", str(tmp_path / "source")]
    data = {"sources": sources}
    load_data(SupportParams.model_validate({"name": "faq", "data": data}), tmp_path, lambda _: None)
    documents, questions = read_rows(tmp_path)
    added = {name_of(topic, number) for number in range(len(topic["documents"]))}
    assert added < {*documents["document"]}
    expanded = dict(zip(documents["document"], documents["questions"], strict=True))
    assert {len(expanded[name]) for name in added} == {3}
    asked = questions["topic"] == topic["topic"]
    assert asked.sum() == rows.filter(is_new)["question"].n_unique()
    assert {*questions["question"][~asked]} == {*read_rows(folder)[1]["question"]}


@pytest.mark.parametrize(
    ("options", "most"), [({}, 250), ({"passages": {"reranker": "folder"}}, 16), ({"llm": LLM}, 16)]
)
def test_bodies_have_as_many_questions_as_are_allowed(options: Any, most: int) -> None:
    simulation = make_simulation(SupportParams.model_validate({"name": "x", **options}))
    assert simulation.body <= most


def test_ordinary_days_add_no_documents(folder: Path, tmp_path: Path) -> None:
    write_source(PARAMS, folder, day(PARAMS, folder, 0), tmp_path / "source")
    assert [path.name for path in (tmp_path / "source").iterdir()] == [ASKED]
