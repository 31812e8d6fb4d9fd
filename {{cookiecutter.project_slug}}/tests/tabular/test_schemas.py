"""The request has the columns of the table: any names, nulls where training saw them."""

import json
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError
from tabular.tables import problem, rows

from project_package.data.table_schema import Column, Schema
from project_package.tabular.dataset import request_values
from project_package.tabular.date_parts import DAY
from project_package.tabular.problem import find_problem
from project_package.tabular.schemas import request_type
from project_package.tabular.task import to_rows

CUSTOMER: dict[str, Any] = {
    "class": "gold",
    "paid": 1e4,
    "家": 3,
    "active": True,
    "since": "2024-01-31",
    "month": "2024-02-01T00:00:00+02:00",
}


def read(**changes: Any) -> BaseModel:
    """Read a request as the server does."""
    values = {name: value for name, value in {**CUSTOMER, **changes}.items() if value != "left out"}
    return request_type(problem()).model_validate_json(json.dumps(values), strict=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"class": None, "paid": None, "active": None, "since": None},
        {"class": "left out", "paid": "left out"},
        {"class": "g" * 1_000},
        {"paid": -1e9, "customer": "C-1", "firm": None, "explain": True},
    ],
)
def test_unusual_values_are_accepted(changes: dict[str, Any]) -> None:
    assert read(**changes).model_dump().keys() == read().model_dump().keys()


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"家": None}, "家"),
        ({"家": "left out"}, "家"),
        ({"paid": "12"}, "paid"),
        ({"paid": 1e31}, "paid"),
        ({"家": 1e-42}, "家"),
        ({"家": 2.5}, "家"),
        ({"class": 3}, "class"),
        ({"class": "g" * 1_001}, "class"),
        ({"active": 1}, "active"),
        ({"since": "31.01.2024"}, "since"),
        ({"month": None}, "month"),
        ({"unknown": 1}, "unknown"),
        ({"column_0": 1}, "column_0"),
    ],
)
def test_values_of_another_type_are_refused(changes: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read(**changes)
    assert {error["loc"][0] for error in refused.value.errors()} == {where}


def test_documentation_has_names_ranges_and_categories() -> None:
    shown = request_type(problem()).model_json_schema()["properties"]
    assert set(shown) == {*problem().requested, "explain"}
    assert shown["家"]["description"] == "a whole number; expected: 1 to 9"
    assert shown["class"]["description"] == "expected: plus, basic"
    assert {"type": "null"} in shown["paid"]["anyOf"]


def test_request_becomes_a_row() -> None:
    row = to_rows(problem(), [read(customer="C-1")])
    assert row["paid"].tolist() == [1e4]
    assert row["since"].tolist() == pytest.approx([1 - 2 / 24])  # before the first of February, UTC
    assert row["customer"].tolist() == ["C-1"]
    assert row["firm"].tolist() == [""]
    assert row["explain"].tolist() == [False]


def test_rows_survive_the_way_through_a_request() -> None:
    table = rows(40)
    moments = np.round(table["since"] * DAY) / DAY  # requests have milliseconds
    table = {**table, "since": moments}
    values = [request_values(problem(), table, row) for row in range(40)]
    requests = [request_type(problem()).model_validate(value) for value in values]
    back = to_rows(problem(), requests)
    for name in problem().features:
        if name == "since":
            np.testing.assert_allclose(back[name], table[name], atol=1e-8)
        else:
            np.testing.assert_array_equal(back[name], table[name])
    assert not any({"customer", "firm"} & {*value} for value in values)


def test_category_that_no_row_lacked_is_not_empty() -> None:
    column = Column(role="feature", type="category", categories=("a",))
    target = Column(role="target", type="boolean")
    request = request_type(find_problem(Schema(columns={"kind": column, "left": target}), "left"))
    with pytest.raises(ValidationError, match="at least 1 character"):
        request.model_validate_json('{"kind": ""}')
    read(**{"class": ""})
