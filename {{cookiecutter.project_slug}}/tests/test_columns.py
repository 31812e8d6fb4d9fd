"""Flat models become rows: a column for each field. Rows in JSON become rows again."""

import json
from datetime import UTC, date, datetime
from typing import Literal

import numpy as np
import pytest
from pydantic import BaseModel

from project_package.columns import (
    columns_of,
    digest,
    from_json_rows,
    instance_keys,
    milliseconds,
    to_json_rows,
    to_rows,
)
from project_package.errors import MissingColumn


class Payment(BaseModel):
    card: str
    timestamp: datetime
    amount: float
    note: str | None = None
    kind: Literal["buy", "return"] = "buy"
    is_fraud: bool | None = None


def test_two_dates_are_refused() -> None:
    class Both(BaseModel):
        day: date
        timestamp: datetime

    with pytest.raises(TypeError, match="Both has two dates"):
        columns_of(Both)


def test_milliseconds_are_whole_before_and_after_1970() -> None:
    after = datetime(1970, 1, 2, 0, 0, 1, 2999, tzinfo=UTC)
    before = datetime(1969, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    assert milliseconds([after, before]).tolist() == [86_401_002, -1]
    assert milliseconds([date(1970, 1, 2)]).tolist() == [86_400_000]


def test_fields_are_columns_with_a_type() -> None:
    assert columns_of(Payment) == {
        "card": str,
        "timestamp": int,
        "amount": float,
        "note": str,
        "kind": str,
        "is_fraud": float,
    }


def test_requests_become_rows() -> None:
    payment = Payment(card="a", timestamp=datetime(1990, 1, 1, tzinfo=UTC), amount=2, is_fraud=True)
    rows = to_rows([payment, payment.model_copy(update={"is_fraud": None, "note": "x"})])
    assert rows["timestamp"].tolist() == [631_152_000_000] * 2
    assert rows["note"].tolist() == [None, "x"]
    assert rows["kind"].dtype == object
    np.testing.assert_array_equal(rows["is_fraud"], [1, np.nan])


def test_no_requests_become_empty_columns() -> None:
    rows = to_rows([], Payment)
    assert {name: len(values) for name, values in rows.items()} == dict.fromkeys(rows, 0)
    assert rows.keys() == columns_of(Payment).keys()


def test_rows_in_json_keep_every_value_and_dtype() -> None:
    ragged = np.fromiter([(("a", "b"), ("c",)), ()], object)
    rows = {
        "timestamp": np.array([1_700_000_000_001, -1]),
        "single": np.array([0.1, np.nan], np.float32),
        "double": np.array([0.1 + 0.2, 5e-324]),
        "lags": np.array([[1.5, np.nan], [np.nan, np.nan]]),
        "flag": np.array([True, False]),
        "text": np.array(["é\n", None], object),
        "word": np.array(["b", "longer"]),
        "baskets": ragged,
        "days": np.fromiter([(0.1, 2.0), ()], object),
        "moment": np.array(["2024-02-29T12:00:00.001", "NaT"], "datetime64[ms]"),
        "image": np.arange(18, dtype=np.uint8).reshape(2, 3, 3),
    }
    like = {name: values[:0].astype(f"{values.dtype.kind}1") if name == "word" else values[:0]
            for name, values in rows.items()}  # fmt: skip
    found = from_json_rows([json.loads(row) for row in to_json_rows(rows)], like)
    assert found.keys() == rows.keys()
    for name, values in rows.items():
        np.testing.assert_array_equal(found[name], values, name, strict=True)


def test_instance_without_an_id_has_an_empty_key() -> None:
    rows = {"document": np.array(["K", ""], object), "clause": np.array([1, 0])}
    assert instance_keys(rows, ("document", "clause")) == ["K 1", ""]


def test_numbers_that_json_lacks_become_missing() -> None:
    rows = {"x": np.array([np.inf])}
    found = from_json_rows([json.loads(row) for row in to_json_rows(rows)], rows)
    np.testing.assert_array_equal(found["x"], [np.nan])


def test_json_row_without_a_column_is_refused() -> None:
    with pytest.raises(MissingColumn, match="x"):
        from_json_rows([{"y": 1.0}], {"x": np.zeros(1)})


def test_digest_covers_names_types_and_values() -> None:
    known = {"a": np.array([1, 2]), "b": np.array(["x", "yz"], object)}
    others = [
        {**known, "a": np.array([2, 1])},
        {**known, "a": np.array([1, 2], np.uint64)},
        {**known, "b": np.array(["xy", "z"], object)},
        {"c": known["a"], "b": known["b"]},
    ]
    assert len({digest(columns) for columns in (known, *others)}) == 5
    assert digest(dict(reversed(known.items()))) == digest(known)
    copied = np.array(["x", "".join("yz")], object)  # the same text at another address
    assert digest({**known, "b": copied}) == digest(known)
