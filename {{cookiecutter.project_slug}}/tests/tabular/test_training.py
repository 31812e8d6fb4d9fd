"""The training of a project: its texts, the metric of its search, and which bundles fit it."""

from pathlib import Path
from typing import Any

import pytest
from tabular.tables import COLUMNS, SCHEMA, bundle_of, params, problem

from project_package.data.table_schema import Schema
from project_package.tabular.about import about
from project_package.tabular.decide_and_explain import Details
from project_package.tabular.problem import Problem, find_problem
from project_package.tabular.training import incompatible, make_training


def test_texts_are_those_of_the_parameters() -> None:
    own = params(data={"source": "own.csv"}, about={"question": "Who leaves?", "use": "Call them."})
    found = about(problem(), own)
    assert (found.question, found.use) == ("Who leaves?", "Call them.")
    assert "params.toml" in found.misuse
    assert found.data == "Rows read from own.csv."


def test_report_lists_the_columns_that_are_used() -> None:
    found = about(problem(), params()).columns
    assert {*found} == {*COLUMNS} - {"note"}
    assert found["paid"] == ("feature", "number", "10.0%", "expected: 0 to 90")
    assert found["plan"] == ("outcome", "category", "0.0%", "expected: a, b, c")


def test_published_households_are_described() -> None:
    lapsed = Problem(table=SCHEMA, target="lapsed", classes=("false", "true"))
    found = about(lapsed, params(data={"source": "completejourney"}))
    assert found.question == "Will the household buy nothing in the next 28 days?"
    assert "offer" in found.use
    assert found.limits


@pytest.mark.parametrize(
    ("target", "metric", "searched"),
    [
        ("lapsed", "cost", "log_loss"),
        ("lapsed", "", "average_precision"),
        ("spend_next_28d", "pinball", "mae"),
    ],
)
def test_search_metric_needs_no_threshold(target: str, metric: str, searched: str) -> None:
    chosen = params(metric=metric, data={"source": "completejourney", "target": target})
    training = make_training(chosen, Path(__file__).parent)
    assert training.goal.name == (metric or "average_precision")
    assert training.search_metric
    assert training.search_metric.name == searched


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"target": "spent"}, "predicts left (false, true)"),
        ({"positive": "false"}, "predicts left (false, true)"),
        ({"without": ("paid",)}, "reads paid (number)"),
        ({"roles": {"paid": "outcome"}}, "reads paid (number)"),
        ({"roles": {"class": "ignored"}}, "reads class (category)"),
    ],
)
def test_bundle_of_another_table_is_incompatible(changes: dict[str, Any], reason: str) -> None:
    bundle = bundle_of(Details(problem=problem(), typical={}).files())
    assert not incompatible(problem(), params(), bundle)
    left_out = changes.pop("without", ())
    roles = changes.pop("roles", {})
    columns = {
        name: column.model_copy(update={"role": roles.get(name, column.role)})
        for name, column in COLUMNS.items()
        if name not in left_out
    }
    other = find_problem(Schema(columns=columns), **{"target": "left", **changes})
    assert incompatible(other, params(), bundle) == reason
