"""Tables come back from an .npz file with values, types and shapes as they were."""

from typing import Any

import numpy as np
import pytest

from project_package.lifecycle.npz import from_npz, to_npz

LISTS = np.empty(2, object)
LISTS[:] = [["a", 1], []]
COLUMNS: dict[str, Any] = {
    "probabilities": np.array([[0.1, np.nan], [np.inf, -0.0]], np.float32),
    "decision": np.array([True, False]),
    "codes": np.array([3, 255], np.uint8),
    "names": np.array(["é", "trailing\0"], object),
    "missing": np.array([None, ""], object),
    "items": np.array([["milk", "名 😀"], ["", "milk"]], object),
    "fixed": np.array(["a", "longer"]),
    "days": np.array(["2018-01-01", "NaT"], "datetime64[D]"),
    "regions": np.zeros((2, 3, 3), np.float32),
    "reversed": np.arange(4).reshape(2, 2)[:, ::-1],
    "nothing": np.empty((2, 0), object),
    "citations": LISTS,
    "odd/na.npy": np.arange(2),
    "file": np.arange(2),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_column_comes_back_as_it_was(name: str) -> None:
    tables = from_npz(to_npz({"model": {name: COLUMNS[name]}, "naive": {"x": np.arange(3)}}))
    assert tables.keys() == {"model", "naive"}
    assert tables["model"].keys() == {name}
    np.testing.assert_array_equal(tables["model"][name], COLUMNS[name], strict=True)
    assert [type(value) for value in tables["model"][name].flat] == [
        type(value) for value in COLUMNS[name].flat
    ]


def test_no_rows_come_back() -> None:
    empty = {"score": np.empty(0, np.float32), "name": np.empty(0, object)}
    found = from_npz(to_npz({"model": empty}))["model"]
    for name, values in empty.items():
        np.testing.assert_array_equal(found[name], values, strict=True)


@pytest.mark.parametrize("value", [(1, 2), {1: "a"}, np.float32(1), object()])
def test_object_that_would_change_is_refused(value: Any) -> None:
    values = np.empty(1, object)
    values[0] = value
    with pytest.raises(TypeError):
        to_npz({"model": {"odd": values}})
