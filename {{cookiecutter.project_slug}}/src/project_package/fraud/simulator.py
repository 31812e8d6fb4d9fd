"""Simulate card payments with three kinds of fraud.

Cards, terminals and frauds follow the published description of Le Borgne, Siblini, Lebichot and
Bontempi, "Reproducible Machine Learning for Credit Card Fraud Detection, Practical Handbook"
(Université Libre de Bruxelles, 2022), chapter 3. Their generator loops over customers; this one
draws a whole day at a time. 5,000 customers, 10,000 terminals and 183 days give about 1.75
million payments, 0.84 % of them fraud.

1. Any amount above 220 is fraud: the pattern that is easy to see.
2. Each day two terminals are compromised: all their payments of 28 days are fraud.
3. Each day three cards are stolen: a third of their payments of 14 days, drawn at random from the
   payments of all three, is five times as large and fraud.

A later scenario overwrites an earlier one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.spatial import KDTree

from ..columns import Columns

START = datetime(2018, 4, 1)
SECONDS_A_DAY = 86_400
BOOK_CUSTOMERS = 5_000
BOOK_TERMINALS = 10_000


@dataclass(frozen=True)
class Customers:
    """The customers: one array element each."""

    payments_a_day: NDArray[np.float64]
    mean_amount: NDArray[np.float64]
    """Mean amount of a payment; the standard deviation is half of it."""
    near: NDArray[np.int32]
    """Terminals near the first customer, then those near the second, and so on."""
    near_start: NDArray[np.int64]
    near_count: NDArray[np.int64]


def simulate(
    customers: int = BOOK_CUSTOMERS, terminals: int = BOOK_TERMINALS, days: int = 183, seed: int = 7
) -> pl.DataFrame:
    """Simulate payments, sorted by time.

    The columns: transaction_id, customer_id and terminal_id (text; transaction ids increase with
    time), timestamp (UTC without a zone, whole seconds), amount (two decimals), is_fraud, scenario
    (0 genuine, 1 to 3 the kind of fraud). At other sizes than the book's, the density of the map
    and the share of frauds stay the same. A customer without a terminal nearby makes no payments.
    """
    rng = np.random.default_rng(seed)
    people = _customers(customers, terminals, rng)
    drawn = list(_days(people, terminals, days, rng))
    rows = {name: np.concatenate([day[name] for day in drawn]) for name in drawn[0]}
    _steal_cards(rows, customers, days, rng)
    return pl.DataFrame(rows).select(
        # Twelve characters or fewer: Polars keeps them inline, 16 bytes each.
        transaction_id="P" + pl.int_range(1, pl.len() + 1).cast(pl.String).str.zfill(9),
        timestamp=pl.lit(START, pl.Datetime("ms")) + pl.duration(seconds="second", time_unit="ms"),
        customer_id="C" + pl.col("customer").cast(pl.String).str.zfill(7),
        terminal_id="T" + pl.col("terminal").cast(pl.String).str.zfill(7),
        amount="amount",
        is_fraud=pl.col("scenario") > 0,
        scenario="scenario",
    )


def _customers(count: int, terminals: int, rng: np.random.Generator) -> Customers:
    """Draw customers and terminals on a 100 x 100 map; find the terminals near each customer."""
    radius = 5.0 * np.sqrt(BOOK_TERMINALS / terminals)
    homes = rng.uniform(0, 100, (count, 2))
    shops = KDTree(rng.uniform(0, 100, (terminals, 2)))
    near = shops.query_ball_point(homes, radius, return_sorted=True)
    near_count = np.array([len(terminal) for terminal in near])
    return Customers(
        payments_a_day=rng.uniform(0, 4, count) * (near_count > 0),
        mean_amount=rng.uniform(5, 100, count),
        near=np.concatenate(near).astype(np.int32),
        near_start=np.cumsum(near_count) - near_count,
        near_count=near_count,
    )


def _days(
    people: Customers, terminals: int, days: int, rng: np.random.Generator
) -> Iterator[Columns]:
    """Yield the payments of each day in order of time, with the frauds of scenarios 1 and 2."""
    taken = _daily_counts(2 * terminals / BOOK_TERMINALS, days)
    taken_until = np.zeros(terminals, dtype=np.int32)
    for day in range(days):
        taken_until[rng.choice(terminals, taken[day], replace=False)] = day + 28
        rows = _payments(people, day, rng)
        scenario = (rows["amount"] > 220).astype(np.uint8)
        scenario[taken_until[rows["terminal"]] > day] = 2
        yield {**rows, "scenario": scenario}


def _payments(people: Customers, day: int, rng: np.random.Generator) -> Columns:
    """Draw one day of genuine payments in order of time."""
    counts = rng.poisson(people.payments_a_day)
    customer = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    second = rng.normal(43_200, 20_000, len(customer)).astype(np.int64)
    order = np.argsort(second, kind="stable")
    order = order[(second[order] > 0) & (second[order] < SECONDS_A_DAY)]
    customer = customer[order]
    second = second[order]
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
    stolen = _daily_counts(3 * customers / BOOK_CUSTOMERS, days)
    midnights = np.searchsorted(rows["second"], np.arange(days + 14) * SECONDS_A_DAY)
    for day in range(days):
        cards = rng.choice(customers, stolen[day], replace=False)
        first = midnights[day]
        end = midnights[day + 14]
        pool = first + np.flatnonzero(np.isin(rows["customer"][first:end], cards))
        chosen = rng.choice(pool, len(pool) // 3, replace=False)
        rows["amount"][chosen] = np.round(rows["amount"][chosen] * 5, 2)
        rows["scenario"][chosen] = 3


def _daily_counts(rate: float, days: int) -> NDArray[np.int64]:
    """Return whole numbers a day that add up to `rate` times the days."""
    until: NDArray[np.int64] = np.floor(np.arange(days + 1) * rate + 1e-9).astype(np.int64)
    return np.diff(until)
