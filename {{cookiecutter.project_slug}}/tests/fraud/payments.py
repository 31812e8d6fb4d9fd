"""Payments for the tests of this folder: a column that a test does not name has some value."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args, get_origin

import numpy as np

from project_package.columns import Columns, columns_of
from project_package.fraud.schemas import PastPayment, Payment

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def payment(name: str = "now", days_ago: float = 0, **changes: Any) -> dict[str, Any]:
    """Return a payment as a request has it."""
    kinds = columns_of(Payment)
    fields = Payment.model_fields
    some = {n: "x" if kinds[n] is str else 50.0 for n in fields if fields[n].is_required()}
    choices = {n: get_args(fields[n].annotation) for n in some}
    some |= {n: choices[n][0] for n in some if get_origin(fields[n].annotation) is Literal}
    time = NOON - timedelta(days=days_ago)
    return {**some, "transaction_id": name, "timestamp": time, **changes}


def rows(count: int, **known: Any) -> Columns:
    """Return payments as rows; a column that is not known has one value."""
    same = {str: np.full(count, "x", object), float: np.zeros(count), int: np.zeros(count, int)}
    return {name: known.get(name, same[kind]) for name, kind in columns_of(PastPayment).items()}
