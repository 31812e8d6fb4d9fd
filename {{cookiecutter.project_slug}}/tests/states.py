"""What a state is given in tests: rows of cards and shops, labels, a place that is empty."""

from collections.abc import Callable, Iterator
from itertools import count

import numpy as np
import pytest
from pydantic import BaseModel
from redis import Redis

from project_package import state_sqlite
from project_package.contract import Columns, Memory
from project_package.features.history import EVENT
from project_package.state.base import STRETCHES
from project_package.features.windows import (
    MILLISECONDS_A_DAY,
    Window,
    kept,
    lookback,
)

DAY = MILLISECONDS_A_DAY
HOUR = DAY // 24
START = 20_000 * DAY
FEATURES = (
    Window("n", "", "card", "count", 1),
    Window("total", "", "card", "sum", 2, value="amount"),
    Window("bad", "", "shop", "mean", 2, 1, "is_bad"),
    Window("run", "", "shop", "run_age_days", 2, 1, "is_bad"),
)
MEMORY = Memory(
    entities=kept(FEATURES),
    days=lookback(FEATURES),
    subject="card",
    event=BaseModel,
    rows=lambda _: {},
    late=("is_bad",),
)
CARDS = Memory(
    entities={"card": ("amount",)},
    days={"card": 2},
    subject="card",
    event=BaseModel,
    rows=lambda _: {},
)
"""Of cards only, and no labels."""
SPAN = 3 * DAY // STRETCHES
Fresh = Callable[[], str]


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def fresh(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fresh]:
    """Give the address of a place that is empty, anew at each call; a file moves values often."""
    folder, numbers = tmp_path_factory.mktemp("states"), count()
    if request.param == "sqlite":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(state_sqlite, "FRESH", 9)
            yield lambda: str(folder / f"{next(numbers)}.db")
        return
    address: str = request.getfixturevalue("redis")

    def flushed() -> str:
        with Redis.from_url(address) as client:
            client.flushall()
        return address

    yield flushed


def row(name: str, timestamp: int, card: int = 0, shop: int = 0, amount: float = 1) -> Columns:
    """Give one row."""
    return {
        "timestamp": np.array([timestamp]),
        "card": np.array([f"c{card}"], object),
        "shop": np.array([f"s{shop}"], object),
        "amount": np.array([amount]),
        "is_bad": np.array([0.0]),
        EVENT: np.array([name], object),
    }


def label(name: str, is_bad: bool = True) -> Columns:
    return {EVENT: np.array([name], object), "is_bad": np.array([float(is_bad)])}
