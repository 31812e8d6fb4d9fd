"""Requests are changed one part at a time, to what their schema allows and to what it does not."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from project_package.checklist.extremes import (
    all_extreme,
    extremes,
    variants,
    violations,
)


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")
    units: Annotated[int, Field(ge=-2, lt=9)]
    name: Annotated[str, Field(max_length=3)] = ""


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    items: list[Item] | None
    price: Annotated[float, Field(ge=0, le=5)]


SCHEMA = Order.model_json_schema()
ORDER = {"items": [{"units": 1, "name": "a"}, {"units": 2, "name": "b"}], "price": 1.5}


def changed(values_of: Any) -> list[Any]:
    return list(variants(SCHEMA, ORDER, values_of, SCHEMA["$defs"]))


def test_one_part_after_the_other_gets_each_extreme() -> None:
    found = changed(extremes)
    assert {**ORDER, "items": None} in found
    assert {**ORDER, "items": []} in found
    assert {one["price"] for one in found} >= {0, 5, 1.5}
    named = [item["name"] for one in found for item in one["items"] or ()]
    assert {"", 3 * "x", "a"} <= {*named}
    both = [one["items"] for one in found if one["items"] and one["items"][0]["units"] == -2]
    assert both == [[{"units": -2, "name": "a"}, {"units": -2, "name": "b"}]]


def test_all_numbers_are_extreme_at_once() -> None:
    low, high, zero = all_extreme(SCHEMA, ORDER, SCHEMA["$defs"])
    assert (low["price"], high["price"], zero["price"]) == (0, 5, 0)
    assert [[item["units"] for item in one["items"]] for one in (low, high)] == [[-2, -2], [9, 9]]
    Order.model_validate(low)


def test_every_violation_breaks_a_rule() -> None:
    found = changed(violations)
    assert len(found) >= 7
    for one in found:
        with pytest.raises(ValidationError):
            Order.model_validate(one)
