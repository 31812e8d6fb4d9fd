"""Simulated card payments with three kinds of fraud: the raw data of this project.

Cards, terminals and frauds follow the published description of Le Borgne, Siblini, Lebichot and
Bontempi, "Reproducible Machine Learning for Credit Card Fraud Detection, Practical Handbook"
(Université Libre de Bruxelles, 2022), chapter 3. Their generator loops over customers; this one
draws a whole day at a time. 5,000 customers, 10,000 terminals and 183 days give about 1.75
million payments, 0.84 % of them fraud.

1. Any amount above 220 is fraud: the pattern that is easy to see.
2. Each day two terminals are taken over: all they handle in 28 days is fraud.
3. Each day three cards are stolen: of what the three pay in 14 days, a third, drawn at random from
   all of it, is five times as large and fraud.

A later scenario overwrites an earlier one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial import KDTree

Columns: TypeAlias = dict[str, NDArray[Any]]

START = datetime(2018, 4, 1)
SECONDS_A_DAY = 86_400
BOOK_CUSTOMERS, BOOK_TERMINALS = 5_000, 10_000
AMOUNT_LIMIT = 220.0
TERMINALS_TAKEN_A_DAY, TERMINAL_DAYS = 2, 28
CARDS_STOLEN_A_DAY, CARD_DAYS = 3, 14
STOLEN_SHARE, STOLEN_FACTOR = 3, 5


@dataclass(frozen=True)
class Customers:
    """Who pays: one array element a customer."""

    mean_amount: NDArray[np.float64]
    """Mean amount of a payment; the standard deviation is half of it."""
    payments_a_day: NDArray[np.float64]
    near: NDArray[np.int32]
    """Terminals near the first customer, then those near the second, and so on."""
    near_start: NDArray[np.int64]
    near_count: NDArray[np.int64]


def simulate(
    customers: int = BOOK_CUSTOMERS,
    terminals: int = BOOK_TERMINALS,
    days: int = 183,
    seed: int = 7,
    start: datetime = START,
) -> pl.DataFrame:
    """Simulate payments, sorted by time.

    `start` is the first midnight, in UTC without a time zone. The columns: transaction_id,
    customer_id and terminal_id (text; the order of transaction ids is the order of time),
    timestamp (milliseconds, whole seconds), amount (two decimals), is_fraud, scenario (0 genuine,
    1 to 3 the kind of fraud). At other sizes than the book's the map keeps its density and the
    frauds keep their share. A customer with no terminal near pays nothing.
    """
    rng = np.random.default_rng(seed)
    people = _customers(customers, terminals, rng)
    drawn = list(_days(people, terminals, days, rng))
    rows = {name: np.concatenate([day.pop(name) for day in drawn]) for name in list(drawn[0])}
    _steal_cards(rows, customers, days, rng)
    return _frame(rows, customers, terminals, start)


def _customers(count: int, terminals: int, rng: np.random.Generator) -> Customers:
    """Place customers and terminals on a 100 x 100 map and find who is near what."""
    radius = 5.0 * np.sqrt(BOOK_TERMINALS / terminals)
    homes = rng.uniform(0, 100, (count, 2))
    shops = KDTree(rng.uniform(0, 100, (terminals, 2)))
    near = shops.query_ball_point(homes, radius, return_sorted=True)
    near_count = np.array([len(terminal) for terminal in near])
    rate = rng.uniform(0, 4, count)
    return Customers(
        mean_amount=rng.uniform(5, 100, count),
        payments_a_day=np.where(near_count > 0, rate, 0.0),
        near=np.concatenate(near).astype(np.int32),
        near_start=np.cumsum(near_count) - near_count,
        near_count=near_count,
    )


def _days(
    people: Customers, terminals: int, days: int, rng: np.random.Generator
) -> Iterator[Columns]:
    """Yield the payments of each day in order of time, with the frauds of scenarios 1 and 2."""
    taken = _daily_counts(TERMINALS_TAKEN_A_DAY * terminals / BOOK_TERMINALS, days)
    taken_until = np.zeros(terminals, dtype=np.int32)
    for day in range(days):
        taken_until[rng.choice(terminals, taken[day], replace=False)] = day + TERMINAL_DAYS
        rows = _payments(people, day, rng)
        scenario = (rows["amount"] > AMOUNT_LIMIT).astype(np.uint8)
        scenario[taken_until[rows["terminal"]] > day] = 2
        yield rows | {"scenario": scenario}


def _payments(people: Customers, day: int, rng: np.random.Generator) -> Columns:
    """Draw one day of genuine payments in order of time."""
    counts = rng.poisson(people.payments_a_day)
    customer = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    second = rng.normal(43_200, 20_000, len(customer)).astype(np.int64)
    order = np.argsort(second, kind="stable")
    order = order[(second[order] > 0) & (second[order] < SECONDS_A_DAY)]
    customer, second = customer[order], second[order]
    mean = people.mean_amount[customer]
    amount = rng.normal(mean, mean / 2)
    amount = np.where(amount < 0, rng.uniform(0, 2 * mean), amount)
    pick = rng.integers(people.near_count[customer])
    return {
        "second": day * SECONDS_A_DAY + second,
        "customer": customer,
        "terminal": people.near[people.near_start[customer] + pick],
        "amount": np.round(amount, 2),
    }


def _steal_cards(rows: Columns, customers: int, days: int, rng: np.random.Generator) -> None:
    """Apply scenario 3 in place."""
    stolen = _daily_counts(CARDS_STOLEN_A_DAY * customers / BOOK_CUSTOMERS, days)
    midnights = np.searchsorted(rows["second"], np.arange(days + CARD_DAYS) * SECONDS_A_DAY)
    for day in range(days):
        is_stolen = np.zeros(customers, dtype=np.bool_)
        is_stolen[rng.choice(customers, stolen[day], replace=False)] = True
        first, end = midnights[day], midnights[day + CARD_DAYS]
        pool = first + np.flatnonzero(is_stolen[rows["customer"][first:end]])
        chosen = rng.choice(pool, len(pool) // STOLEN_SHARE, replace=False)
        rows["amount"][chosen] = np.round(rows["amount"][chosen] * STOLEN_FACTOR, 2)
        rows["scenario"][chosen] = 3


def _daily_counts(rate: float, days: int) -> NDArray[np.int64]:
    """Give whole numbers a day that add up to `rate` times the days."""
    until: NDArray[np.int64] = np.floor(np.arange(days + 1) * rate + 1e-9).astype(np.int64)
    return until[1:] - until[:-1]


def _frame(rows: Columns, customers: int, terminals: int, start: datetime) -> pl.DataFrame:
    """Name and type the columns; each one leaves `rows` as it is taken, to spare memory."""
    frame = pl.DataFrame({"second": rows.pop("second")})
    timestamp = pl.lit(start).cast(pl.Datetime("ms")) + pl.duration(seconds="second")
    frame = frame.select(
        # Twelve characters or fewer: Polars keeps them inline, 16 bytes each.
        transaction_id="P" + pl.int_range(1, pl.len() + 1).cast(pl.String).str.zfill(9),
        timestamp=timestamp.cast(pl.Datetime("ms")),
    )
    return frame.with_columns(
        customer_id=_names("C", customers).gather(rows.pop("customer")),
        terminal_id=_names("T", terminals).gather(rows.pop("terminal")),
        amount=pl.Series(rows.pop("amount")),
        is_fraud=pl.Series(rows["scenario"] > 0),
        scenario=pl.Series(rows.pop("scenario")),
    )


def _names(prefix: str, count: int) -> pl.Series:
    return prefix + pl.int_range(count, eager=True).cast(pl.String).str.zfill(7)
