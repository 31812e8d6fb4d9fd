"""Texts are features: their words are counted alike in training, in a graph and by the server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tabular.own_tables import SCHEMA, TABLE, loaded, proposed, write
from tabular.tables import COLUMNS, bundle_of

from project_package.columns import Columns, take
from project_package.contract.task import predict_requests
from project_package.contract.training import Outcome
from project_package.data.table_schema import Column, Schema, read_schema
from project_package.errors import UserError
from project_package.lifecycle.gate import parity
from project_package.tabular.importance import importance
from project_package.tabular.metrics import find_metrics, slices
from project_package.tabular.models import candidates, finish
from project_package.tabular.params import TabularParams
from project_package.tabular.problem import Problem, find_problem
from project_package.tabular.task import load, make_task
from project_package.tabular.texts import words

NOTE = Column(role="feature", type="text")
ODD = [
    *("", " ", "?!", "Grüße aus Köln", "İSTANBUL ǅ ﬁn", "日本語の文", "😀 great 😀", "a\nb\tc\r\n"),
    *('say "no"', "# ## ^ _", "né n\u0065\u0301", "great " * 9_000, "नमस्ते", "x" * 20_000, "a\x00b"),
]
COUNT = 300


def problem(target: str, *names: str) -> Problem:
    """Return the problem of a target with features, of which `note` and `means__` are texts."""
    targets = ("left", "plan", "spent")
    columns = {name: COLUMNS.get(name, NOTE) for name in (*names, *targets)}
    return find_problem(Schema(columns={**columns, "note": NOTE}), target)


def rows(found: Problem, seed: int = 0) -> Columns:
    """Return rows whose targets follow from a word, with odd texts at the end."""
    random = np.random.default_rng(seed)
    good = random.integers(0, 3, COUNT)
    common = random.choice(["the", "of", "and", "a"], (COUNT, 6))
    verdict = np.array(["Terrible!", "fine,", "GREAT"])[good]
    texts = [" ".join([*many, word]) for many, word in zip(common, verdict, strict=True)]
    texts[-len(ODD) :] = ODD
    values: dict[str, Any] = {
        "note": texts,
        "paid": random.uniform(0, 90, COUNT),
        "class": ["plus"] * COUNT,
    }
    values["means__"] = texts[::-1]
    return {**found.encode(values), "left": good // 2, "plan": good, "spent": good * 10.0}


def fitted(found: Problem, name: str = "linear") -> Any:
    """Fit a candidate, finished as for a bundle."""
    one = next(each for each in candidates(found) if each.name == name)
    table = rows(found)
    model: Any = one.fit(table, one.start, 7)
    return finish(TabularParams(name="tiny"), model, table, Outcome(table, model.predict(table)))


@pytest.mark.parametrize("names", [(), ("paid",), ("class", "paid", "means__")])
@pytest.mark.parametrize("target", ["left", "plan", "spent"])
def test_graph_reads_texts_as_the_fitted_model(target: str, names: tuple[str, ...]) -> None:
    found = problem(target, *names)
    table = rows(found, seed=1)
    truth = table[target]
    for one in candidates(found):
        model: Any = one.fit(rows(found), one.start, 7)
        served = load(bundle_of(model.files()))
        alone = [served.predict(take(table, np.array([row]))) for row in range(COUNT)]
        answers = {n: np.concatenate([a[n] for a in alone]) for n in model.predict(table)}
        for answer in (served.predict(table), answers):
            compared = parity(answer, model.predict(table))
            assert compared.largest_difference < 1e-5
            assert compared.changed_decisions == 0
        wrong = np.abs(truth - model.predict(table)["prediction"])[: -len(ODD)]
        assert np.mean(wrong > 2) < 0.1 if target == "spent" else np.mean(wrong) < 0.1


@pytest.mark.parametrize("texts", [[""], ["same"], ["same", ""]])
def test_texts_that_say_nothing_are_fitted(texts: list[str]) -> None:
    found = problem("plan")
    table = {**rows(found), **found.encode({"note": texts * (COUNT // len(texts))})}
    for one in candidates(found):
        model: Any = one.fit(table, one.start, 7)
        answer = load(bundle_of(model.files())).predict(rows(found))
        assert parity(answer, model.predict(rows(found))).largest_difference < 1e-5


def test_words_have_no_case_no_marks_and_an_end() -> None:
    assert words("Don't\n STOP, № ² ﬁne") == "^ don t stop no 2 fine $"
    assert words("日本 and ok") == "^ 日 本 and ok $"
    assert words("") == words(" 😀!") == "^ $"
    assert words("की कि") == "^ की कि $"  # vowels are marks
    assert words("İyi a_b") == "^ iyi a b $"
    assert len(words("a " * 5_000).split()) == 1_002


def test_reasons_compare_with_an_empty_text_and_the_log_has_none() -> None:
    found = problem("left", "paid")
    bundle = bundle_of(fitted(found).files())
    task = make_task(bundle)
    body = {"note": "Great and great, Ms Smith", "paid": 5, "explain": True}
    requests = [task.request.model_validate_json(json.dumps(body), strict=True)]
    model: Any = task.load(bundle)
    assert predict_requests(task, model, requests)[0]["reasons"][0]["feature"] == "note"
    assert json.loads(bundle.files["model.json"])["typical"]["note"] == words("")
    table = task.to_rows(requests)
    assert task.monitored(table, model.predict(table))["note"].tolist() == [5]
    assert task.unseen(table, {}) == {}
    assert not any("note" in name for name in slices(found, rows(found)))


def test_report_shows_no_text() -> None:
    found = problem("left")
    goal = find_metrics(found, TabularParams(name="tiny"))[0]
    figures = importance(found, goal, rows(found), fitted(found).predict)
    assert [figure.name for figure in figures] == ["importance"]


@pytest.mark.parametrize("note", [None, 5, "x" * 20_001])
def test_request_without_a_fitting_text_is_refused(note: Any) -> None:
    task = make_task(bundle_of(fitted(problem("left")).files()))
    task.request.model_validate_json(json.dumps({"note": ""}), strict=True)
    with pytest.raises(ValidationError, match=r"valid string|at most 20000 characters"):
        task.request.model_validate_json(json.dumps({"note": note}), strict=True)


@pytest.mark.parametrize(
    ("name", "value", "role", "kind"),
    [
        ("note", lambda n: f"the case {n} was closed today", "feature", "text"),
        ("note", lambda n: f"the case {n % 160} was closed today", "feature", "text"),
        ("note", lambda n: f"the case {n % 120} was closed today", "feature", "category"),
        (
            "note",
            lambda n: f"the case {n} was {'long ' * 5_000 * (n % 99 == 0)}",
            "ignored",
            "text",
        ),
        ("note", lambda n: f"DE89 3704 {n} 0130 AB", "id", "text"),
        ("note", lambda n: f"Ms Lee-{n}", "id", "text"),
        ("customer", lambda n: f"the firm {n % 160} of Lee", "group", "text"),
    ],
)
def test_columns_of_sentences_become_features(
    name: str, value: Callable[[int], str], role: str, kind: str, tmp_path: Path
) -> None:
    target = np.random.default_rng(0).integers(0, 2, 1_500)
    table = {name: map(value, range(1_500)), "x": range(1_500), "y": target}
    printed = proposed(tmp_path, table)
    column = read_schema(tmp_path / SCHEMA).columns[name]
    assert (column.role, column.type) == (role, kind)
    assert ("they may be personal data" in printed) == (column == NOTE)


def write_table(root: Path) -> list[str]:
    """Write a table with a text, and its schema; return the texts."""
    texts = [
        f"this is the number {n}: it is {'GREAT' if y else 'bad, '}"
        for n, y in enumerate(TABLE["y"])
    ]
    texts[:3] = ["1", "007", 'two\nlines, "quoted"; 😀']
    proposed(root, {**TABLE, "note": texts})
    return texts


def test_a_file_is_answered_as_requests_are(tmp_path: Path) -> None:
    texts = write_table(tmp_path)
    assert read_schema(tmp_path / SCHEMA).columns["note"] == NOTE
    training, params = loaded(tmp_path)
    splits = training.split(params, tmp_path)
    one = training.candidates[1]
    model: Any = one.fit(splits.train, one.start, 7)
    outcome = Outcome(splits.test, model.predict(splits.test))
    bundle = bundle_of(training.finish(params, model, splits.train, outcome).files())
    task = training.make_task(bundle)
    texts[3] = ""
    write(tmp_path / "new.csv", {**TABLE, "note": texts})
    table = training.read_batch(params, tmp_path / "new.csv", tmp_path)
    assert table["note"][:4].tolist() == ["^ 1 $", "^ 007 $", "^ two lines quoted $", "^ $"]
    lines = zip(*(TABLE[name] for name in ("x", "plan")), texts, strict=True)
    bodies = [json.dumps({"x": x, "plan": str(plan), "note": note}) for x, plan, note in lines]
    requests = [task.request.model_validate_json(body, strict=True) for body in bodies]
    served: Any = task.load(bundle)
    batch = served.predict(table)["probabilities"]
    np.testing.assert_array_equal(batch, served.predict(task.to_rows(requests))["probabilities"])
    (example, *_) = training.examples(tmp_path, splits.test, 1)
    assert example.model_dump()["note"] == ""


def test_text_that_is_too_long_is_refused_in_a_table(tmp_path: Path) -> None:
    texts = write_table(tmp_path)
    write(tmp_path / "own.csv", {**TABLE, "note": ["long " * 5_000, *texts[1:]]}, mark=";")
    with pytest.raises(UserError, match="- note must have at most 20,000 characters") as caught:
        loaded(tmp_path)
    assert len(str(caught.value)) < 500
