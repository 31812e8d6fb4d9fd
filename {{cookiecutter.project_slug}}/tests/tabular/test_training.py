"""What is added to a fitted model: threshold, intervals and typical values; the texts."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tabular.tables import COLUMNS, SCHEMA, bundle_of, problem, rows

from project_package.data.table_schema import Schema
from project_package.errors import UserError
from project_package.tabular.data import Decide, TabularParams
from project_package.tabular.problem import Problem, find_problem
from project_package.tabular.task import Details, make_task
from project_package.tabular.training import (
    TRAINING,
    about,
    margins,
    only_for,
    threshold,
    typical,
)


def params(**changes: Any) -> TabularParams:
    return TabularParams.model_validate({"name": "tiny", **changes})


@pytest.mark.parametrize(("false_positive", "false_negative"), [(1, 1), (1, 10), (10, 1), (1, 1e6)])
def test_threshold_has_the_least_cost(false_positive: float, false_negative: float) -> None:
    random = np.random.default_rng(0)
    chances = random.random(300).astype(np.float32)
    target = (random.random(300) < chances).astype(np.int64)
    decide = Decide(false_positive=false_positive, false_negative=false_negative)

    def cost(limit: float) -> float:
        flagged = chances >= limit
        wrong = false_positive * np.sum(flagged & (target == 0))
        return float(wrong + false_negative * np.sum(~flagged & (target == 1)))

    found = threshold(target, chances, decide)
    assert cost(found) == min(cost(limit) for limit in (*chances, 2))
    assert np.abs(chances - found).min() > 1e-6  # out of reach of rounding


def test_threshold_flags_nothing_where_alarms_only_cost() -> None:
    decide = Decide(false_positive=100, false_negative=1)
    assert threshold(np.array([0, 1]), np.array([0.9, 0.8]), decide) > 0.9


@pytest.mark.parametrize(("coverage", "count"), list(product((0.5, 0.8, 0.95), (60, 2000))))
def test_intervals_hold_the_wanted_share_of_new_values(coverage: float, count: int) -> None:
    random = np.random.default_rng(0)
    predicted = random.uniform(1, 100, count + 5000)
    target = predicted * (1 + random.normal(0, 0.3, len(predicted)))  # wider for large values
    found = margins(target[:count], predicted[:count], coverage)
    details = Details(problem=problem("spent"), typical={}, **found)
    bounds = details.decide({"variable": predicted[count:].astype(np.float32)})
    inside = (target[count:] >= bounds["low"]) & (target[count:] <= bounds["high"])
    assert np.mean(inside) == pytest.approx(coverage, abs=0.06 if count == 60 else 0.03)
    if count == 2000:
        wide = bounds["high"] - bounds["low"]
        large = predicted[count:] > 80
        assert wide[large].mean() > 3 * wide[predicted[count:] < 20].mean()


def test_typical_values_are_medians_and_most_frequent_texts() -> None:
    table = {**rows(5), "paid": np.array([1, np.nan, 3, 9, np.nan]), "active": np.full(5, np.nan)}
    table["class"] = np.array(["plus", "", "", "basic", "plus"], object)
    found = typical(problem(), table)
    assert list(found) == list(problem().features)
    assert (found["paid"], found["active"], found["class"]) == (3, 0, "")


def test_texts_are_those_of_the_parameters() -> None:
    own = params(data={"source": "own.csv"}, about={"question": "Who leaves?", "use": "Call them."})
    found = about(problem(), own)
    assert (found.question, found.use) == ("Who leaves?", "Call them.")
    assert "params.toml" in found.misuse
    assert found.data == "Rows read from own.csv."


def test_published_households_are_described() -> None:
    lapsed = Problem(table=SCHEMA, target="lapsed", classes=("false", "true"))
    found = about(lapsed, params(data={"source": "completejourney"}))
    assert found.question == "Is lapsed = true?"
    assert "offer" in found.use
    assert found.limits


@pytest.mark.parametrize(
    ("target", "metric", "searched"),
    [("lapsed", "cost", "log_loss"), ("lapsed", "", ""), ("spend_next_28d", "pinball", "mae")],
)
def test_search_metric_needs_no_threshold(target: str, metric: str, searched: str) -> None:
    chosen = params(metric=metric, data={"source": "completejourney", "target": target})
    training = TRAINING.for_project(chosen, Path(__file__).parent)
    assert training.goal.name == (metric or "average_precision")
    assert getattr(training.search_metric, "name", "") == searched


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "spent"}, "A model predicts left"),
        ({"positive": "false"}, "A model predicts left"),
        ({"without": ("paid",)}, "A model reads paid as it was"),
    ],
)
def test_bundle_of_another_table_is_refused(changes: dict[str, Any], message: str) -> None:
    details = Details(problem=problem(), typical={}).files()
    bundle = bundle_of(details)
    assert only_for(problem())(bundle).name == make_task(bundle).name
    left_out = changes.pop("without", ())
    columns = {name: column for name, column in COLUMNS.items() if name not in left_out}
    other = find_problem(Schema(columns=columns), **{"target": "left", **changes})
    with pytest.raises(UserError, match=message):
        only_for(other)(bundle)
