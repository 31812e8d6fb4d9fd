"""A use case with history: y = factor (x + what the same person paid earlier)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from multiplying import TIMES, Published

from project_package.columns import Columns, to_rows
from project_package.contract.history import (
    Entity,
    History,
    HistoryRows,
    HistoryTask,
)
from project_package.fields import Identifier
from project_package.frozen import Frozen
from project_package.serving.event_service import open_events
from project_package.state.open_store import StateSettings
from project_package.time_and_money_fields import Moment

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


def read_history(request: TotalRequest) -> HistoryRows:
    if request.earlier is None:
        return {}
    return {"who": {"x": np.array(request.earlier), "timestamp": np.zeros(len(request.earlier))}}


def add_totals(rows: Columns, histories: Sequence[HistoryRows]) -> Columns:
    """Add up what the same person paid earlier; rows that share a history are of one person."""
    moments = list(zip(rows["timestamp"].tolist(), range(len(histories)), strict=True))
    totals = []
    for now, history in zip(moments, histories, strict=True):
        total = rows["x"][now[1]]
        if history:
            events = history["who"]
            total += events["x"][events["timestamp"] <= now[0]].sum()
            others = [n for n, other in enumerate(histories) if other.get("who") is events]
            total += sum(rows["x"][n] for n in others if moments[n] < now)
        totals.append(total)
    return {"total": np.array(totals)}


HISTORY = History(
    entities=(Entity("who", timedelta(days=1), ("x",)),),
    event=PastPayment,
    key=("payment",),
    to_raw_rows=lambda requests: to_rows(requests, Payment),
    needs_store=lambda request: request.earlier is None,
    from_request=read_history,
    features=add_totals,
    request_is_event=True,
    label=Label,
    outcome=("bad",),
)
TOTALS = HistoryTask(
    **vars(TIMES)
    | {"name": "totals", "request": TotalRequest, "to_rows": HISTORY.to_rows, "id": HISTORY.key},
    history=HISTORY,
)


def published(root: Path) -> Published:
    """Return a folder to publish versions in."""
    return Published(root, TOTALS, open_events, StateSettings)
