"""Answers for each kind of task, with reasons on demand; what is watched of them."""

import json
from typing import Any

import numpy as np
import pytest
from tabular.tables import bundle_of, problem, rows

from project_package.columns import take
from project_package.contract.task import Task, predict_requests
from project_package.contract.training import Outcome
from project_package.tabular.models import candidates, finish
from project_package.tabular.params import TabularParams
from project_package.tabular.task import make_task

ASKED = {"家": 9, "month": "2024-02-01", "since": "2023-05-01", "class": "plus", "paid": 80}
TRAIN = rows()


def served(target: str) -> tuple[Task, Any]:
    """Return the task and the model of a bundle."""
    one = candidates(problem(target))[1]
    fitted: Any = one.fit(TRAIN, one.start, 7)
    validation = Outcome(TRAIN, fitted.predict(TRAIN))
    finished = finish(TabularParams(name="tiny"), fitted, TRAIN, validation)
    bundle = bundle_of(finished.files())
    task = make_task(bundle)
    return task, task.load(bundle)


def respond(target: str, **changes: Any) -> dict[str, Any]:
    task, model = served(target)
    body = json.dumps({**ASKED, "active": None, **changes})
    return predict_requests(task, model, [task.request.model_validate_json(body, strict=True)])[0]


def test_binary_answer_follows_the_threshold() -> None:
    found = respond("left")
    assert found["prediction"] == "true"
    assert sum(found["probabilities"].values()) == pytest.approx(1)
    assert list(found["probabilities"]) == ["false", "true"]
    assert found["reasons"] == []


def test_multiclass_answer_is_the_most_probable_class() -> None:
    found = respond("plan")
    chances = found["probabilities"]
    assert found["prediction"] == max(chances, key=chances.get) == "c"


def test_number_lies_in_its_interval() -> None:
    found = respond("spent")
    assert found["low"] < found["prediction"] < found["high"]


@pytest.mark.parametrize("target", ["left", "plan", "spent"])
def test_reasons_name_the_features_that_decide(target: str) -> None:
    found = respond(target, explain=True)
    names = [reason["feature"] for reason in found["reasons"]]
    assert {*names[:2]} == {"paid", "家"}
    assert all(reason["effect"] > 0 for reason in found["reasons"][:2])
    strength = [abs(reason["effect"]) for reason in found["reasons"]]
    assert strength == sorted(strength, reverse=True)


def test_values_that_training_never_saw_are_answered_and_counted() -> None:
    task, model = served("left")
    body = json.dumps({**ASKED, "class": "gold", "paid": None, "active": True})
    requests = [task.request.model_validate_json(body)]
    assert predict_requests(task, model, requests)
    assert task.unseen(task.to_rows(requests), {}) == {"class": 1}


def test_identifiers_reach_the_log_and_numbers_are_watched() -> None:
    task, model = served("spent")
    body = json.dumps({**ASKED, "active": True, "customer": "C-1", "firm": "F-1"})
    table = task.to_rows([task.request.model_validate_json(body)])
    assert (task.id, task.entity) == (("customer",), "firm")
    assert table["customer"].tolist() == ["C-1"]
    watched = task.monitored(table, model.predict(table))
    assert {"paid", "class", "answer prediction", "answer low"} <= watched.keys()
    assert not {"customer", "firm"} & watched.keys()


def test_the_log_has_the_first_100_characters_of_a_category() -> None:
    task, model = served("left")
    body = json.dumps({**ASKED, "class": "g" * 900, "active": True})
    table = task.to_rows([task.request.model_validate_json(body)])
    assert task.monitored(table, model.predict(table))["class"].tolist() == ["g" * 100]


def test_tasks_of_other_targets_have_other_names() -> None:
    assert len({served(target)[0].name for target in ("left", "plan", "spent")}) == 3


def test_rows_without_a_wish_have_no_effects() -> None:
    _, model = served("plan")
    table = take(TRAIN, np.arange(4))
    asked = {**table, "explain": np.array([False, True, False, True])}
    assert not model.predict(table)["effects"].any()
    assert model.predict(asked)["effects"].any(axis=1).tolist() == [False, True, False, True]
