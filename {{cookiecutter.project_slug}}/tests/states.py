"""Event stores for tests, with payments of cards at shops: SQLite files and a real Redis."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from multiplying import Published
from redis import Redis
from totals import published

from project_package.columns import Columns, to_rows
from project_package.contract.history import Entity, History
from project_package.frozen import Frozen

DAY = 86_400_000
START = 20_000 * DAY


class Payment(Frozen):
    payment_id: str
    timestamp: datetime
    card: str
    shop: str
    amount: float
    note: str | None
    is_bad: bool | None = None


class Verdict(Frozen):
    payment_id: str
    is_bad: bool


HISTORY = History(
    entities=(
        Entity("card", timedelta(days=2), ("amount", "note")),
        Entity("shop", timedelta(days=3), ("is_bad",)),
    ),
    event=Payment,
    key=("payment_id",),
    to_raw_rows=lambda requests: to_rows(requests, Payment),
    needs_store=lambda _: True,
    from_request=lambda _: {},
    features=lambda rows, _: rows,
    request_is_event=True,
    label=Verdict,
)
EmptyStore = Callable[[], str]


@pytest.fixture(scope="session", autouse=True)
def _own_store() -> Iterator[None]:
    """Keep the address of the environment out of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("STATE_URL", raising=False)
        yield


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def empty_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmptyStore]:
    """Return the address of an empty event store, a new one at each call."""
    folder = tmp_path_factory.mktemp("states")
    numbers = count()
    if request.param == "sqlite":
        yield lambda: str(folder / f"{next(numbers)}.db")
        return
    url: str = request.getfixturevalue("redis")
    with Redis.from_url(url) as client:
        yield lambda: url if client.flushall() else ""


def payment(
    name: str, timestamp: int = START, card: str = "c", amount: float = 1, **others: object
) -> Columns:
    """Return one payment as rows."""
    values = {"shop": "s", "note": None, "is_bad": np.nan, **others}
    values |= {"payment_id": name, "timestamp": timestamp, "card": card, "amount": amount}
    texts = ("payment_id", "card", "shop", "note")
    return {n: np.array([v], object if n in texts else None) for n, v in values.items()}


def batch(*payments: Columns) -> Columns:
    """Put rows together."""
    return {name: np.concatenate([one[name] for one in payments]) for name in payments[0]}


def verdicts(names: Sequence[str], is_bad: Sequence[bool]) -> Columns:
    """Return labels as rows."""
    return {"payment_id": np.array(names, object), "is_bad": np.array(is_bad, np.float64)}


@pytest.fixture
def totals(tmp_path: Path) -> Published:
    """Publish version 1 of a use case with history."""
    found = published(tmp_path)
    found.publish(1)
    return found
