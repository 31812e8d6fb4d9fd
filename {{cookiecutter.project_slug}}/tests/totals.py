"""A use case with history: y = factor (x + what the same person paid earlier)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from multiplying import TIMES

from project_package.contract import Columns, Entity, Frozen, History, HistoryRows
from project_package.fields import Identifier, Moment, to_rows
from project_package.state.base import open_store

NOON = datetime(2024, 1, 31, 12, tzinfo=UTC)


class Payment(Frozen):
    payment: Identifier
    time: Moment = NOON
    who: Identifier = "ann"
    x: float


class PastPayment(Payment):
    bad: bool | None = None


class Label(Frozen):
    payment: Identifier
    bad: bool


class TotalRequest(Payment):
    earlier: list[float] | None = None


def read_history(request: TotalRequest) -> HistoryRows | None:
    if request.earlier is None:
        return None
    return {"who": {"x": np.array(request.earlier), "timestamp": np.zeros(len(request.earlier))}}


def add_totals(rows: Columns, histories: Sequence[HistoryRows]) -> Columns:
    earlier = [history["who"]["x"].sum() if history else 0 for history in histories]
    return {"total": rows["x"] + np.array(earlier)}


HISTORY = History(
    entities=(Entity("who", timedelta(days=1), ("x",)),),
    event=PastPayment,
    key=("payment",),
    from_request=read_history,
    features=add_totals,
    open_store=open_store,
    request_is_event=True,
    label=Label,
)
TOTALS = replace(
    TIMES,
    name="totals",
    request=TotalRequest,
    to_rows=lambda requests: to_rows(requests, Payment),
    id="payment",
    history=HISTORY,
)
