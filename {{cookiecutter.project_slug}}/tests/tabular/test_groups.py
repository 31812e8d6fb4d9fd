"""The groups of people in a table, and of a table without people."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from project_package.tabular.groups import by_value, groups


def test_codes_are_groups_and_many_numbers_are_halved() -> None:
    codes = by_value(np.array([0.0, 1, 1, np.nan]))
    assert {name: mask.tolist() for name, mask in codes.items()} == {
        "0.0": [True, False, False, False],
        "1.0": [False, True, True, False],
        "unknown": [False, False, False, True],
    }
    many = by_value(np.array([*range(11), np.nan]))
    assert [name for name, mask in many.items() if mask[5]] == ["up to 5"]
    assert [name for name, mask in many.items() if mask[-1]] == ["unknown"]


def test_columns_about_people_come_before_all_others() -> None:
    rows = {"Sex": np.array(["f", ""], object), "bill": np.array([1.0, 2.0])}
    table: Any = SimpleNamespace(features=("bill", "Sex"), numbers=("bill",), categories=("Sex",))
    assert [*groups(table, rows)] == ["Sex f", "Sex unknown"]
    table = SimpleNamespace(features=("bill",), numbers=("bill",), categories=())
    assert [*groups(table, rows)] == ["bill 1.0", "bill 2.0", "bill unknown"]
