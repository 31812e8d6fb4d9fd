"""An oracle for simulated payments: the probability of fraud to one who knows the simulator.

It knows all rules and rates of the simulator and the mean amount of each card. It does not know
which cards and terminals are compromised: it infers that, as a model has to, from all payments so
far and from the labels that are at least seven days old. Both are hidden Markov models, filtered
exactly day by day. Approximations: compromised cards are independent of each other, and in the
inference of one card (or terminal) the others have their prior (or filtered) probability.

A model without more information cannot rank payments much better. A score far above the oracle's
is a leak until shown otherwise.
"""

from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from project_package.fraud.features import LABEL_DELAY_DAYS as DELAY
from project_package.fraud.simulator import BOOK_CUSTOMERS, BOOK_TERMINALS, SECONDS_A_DAY

Numbers: TypeAlias = NDArray[Any]

LARGE = 220  # amounts above it are always fraud
COMPROMISED_DAYS, COMPROMISE_RATE = 28, 2 / BOOK_TERMINALS  # of a terminal, a day
STOLEN_DAYS, STOLEN_RATE = 14, 3 / BOOK_CUSTOMERS  # of a card, a day
MOST = 100  # of the logarithm of a likelihood ratio
SHARE, FACTOR = 1 / 3, 5  # of the payments with a stolen card; what their amounts are multiplied by


def oracle(payments: pl.DataFrame) -> Numbers:
    """Compute the probability of fraud of each payment of a table of the book's size: (rows,)."""
    time = pl.col("timestamp").dt.epoch("s")
    rows = payments.select(
        "amount",
        day=(time // SECONDS_A_DAY) - time.min() // SECONDS_A_DAY,
        second=time % SECONDS_A_DAY,
        card=pl.col("customer_id").rank("dense") - 1,
        terminal=pl.col("terminal_id").rank("dense") - 1,
        fraud="is_fraud",
        mean=pl.col("amount").filter(pl.col("scenario") < 3).mean().over("customer_id"),
    )
    of = {column.name: column.to_numpy() for column in rows}
    usual, stolen = density(of["amount"], of["mean"]), density(of["amount"] / FACTOR, of["mean"])
    changed = SHARE * stolen / FACTOR / usual
    now, later = stolen_cards(of, changed)
    large = of["amount"] > LARGE
    compromised = compromised_terminals(of, np.where(large, 1, later))
    found: Numbers = np.where(large, 1.0, 1 - (1 - compromised) * (1 - now))
    return found


def density(amount: Numbers, mean: Numbers) -> Numbers:
    """Compute the density of genuine amounts: normal, the negative ones drawn again uniformly."""
    z = (amount - mean) / (mean / 2)
    normal = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) / (mean / 2)
    found: Numbers = np.maximum(normal + (amount < 2 * mean) * 0.02275 / (2 * mean), 1e-9)
    return found


def step(states: Numbers, rate: float) -> Numbers:
    """Move on by a day: state 0 is not compromised, state n for n days, this one included."""
    moved = np.zeros_like(states)
    moved[:, :-1] = states[:, 1:]
    moved[:, 0] += states[:, 0]
    moved *= 1 - rate
    moved[:, -1] += rate * states.sum(axis=1)
    return moved


def back(states: Numbers, rate: float) -> Numbers:
    """Return the likelihood of what follows a day, from that of the day after it and later."""
    moved = np.concatenate([states[:, :1], states[:, :-1]], axis=1)
    return (1 - rate) * moved + rate * states[:, -1:]


def stolen_cards(of: dict[str, Numbers], changed: Numbers) -> tuple[Numbers, Numbers]:
    """Compute how probably scenario 3 changed each amount: as known at once, and a week later.

    `changed` is the likelihood that it did, with a stolen card, over that of a card not stolen.
    """
    cards, days = of["card"].max() + 1, of["day"].max() + 1
    ratio = 1 - SHARE + changed
    # A label that is known: a fraud that is not of this scenario is of a terminal, or large.
    other = np.where(of["amount"] > LARGE, 1, COMPROMISE_RATE * COMPROMISED_DAYS)
    labelled = np.where(of["fraud"], 1 - SHARE + changed / other, 1 - SHARE)
    seen, known = np.zeros((2, days, cards))
    np.add.at(seen, (of["day"], of["card"]), np.log(ratio))
    np.add.at(known, (of["day"], of["card"]), np.log(labelled))
    now, later = np.zeros((2, len(changed)))
    filtered = np.zeros((cards, STOLEN_DAYS + 1))  # at the start of the day `day - DELAY`
    filtered[:, 0] = 1
    starts = np.searchsorted(of["day"], np.arange(days + 1))
    for day in range(days):
        # 1. From the state seven days ago, filtered with the labels, to this morning, with amounts.
        states, first = filtered, max(day - DELAY, 0)
        for past in range(first, day):
            states = step(emit(states, seen[past]), STOLEN_RATE)
        # 2. This day, payment by payment: the ratios of the card's earlier payments multiply.
        today = slice(starts[day], starts[day + 1])
        card = of["card"][today]
        clean, stolen = states[card, 0], states[card, 1:].sum(axis=1)
        so_far = stolen * np.exp(np.minimum(sum_before(card, np.log(ratio[today])), MOST))
        now[today] = so_far * changed[today] / (clean + so_far * ratio[today])
        # 3. The same with all amounts of the week after, as it is known when the label is.
        after = np.ones_like(states)
        for coming in range(min(day + DELAY, days) - 1, day, -1):
            after = back(emit(after, seen[coming]), STOLEN_RATE)
        share = 1 - emit(states * after, seen[day])[:, 0]
        later[today] = share[card] * changed[today] / ratio[today]
        if day >= DELAY:
            filtered = step(emit(filtered, known[day - DELAY]), STOLEN_RATE)
    return now, later


def emit(states: Numbers, log_ratio: Numbers) -> Numbers:
    """Weight the states by the likelihood of a day's payments, relative to not compromised."""
    weights = np.exp(np.minimum(log_ratio, MOST))[:, None]
    weighted = np.concatenate([states[:, :1], states[:, 1:] * weights], axis=1)
    weighted /= weighted.sum(axis=1, keepdims=True)
    return weighted


def sum_before(entity: Numbers, values: Numbers) -> Numbers:
    """Sum the values of the earlier rows of the same entity: (rows,)."""
    table = pl.DataFrame({"entity": entity, "value": values})
    return table.select(pl.col("value").cum_sum().over("entity"))["value"].to_numpy() - values


def compromised_terminals(of: dict[str, Numbers], explained: Numbers) -> Numbers:
    """Compute how probably the terminal of each payment is compromised, from known labels.

    `explained` is the probability of fraud of each payment if its terminal is not compromised.
    """
    terminals, days = of["terminal"].max() + 1, of["day"].max() + 1
    clean = np.log(np.clip(np.where(of["fraud"], explained, 1 - explained), 1e-12, 1))
    genuine = (~of["fraud"]).astype(np.float64)
    states = np.zeros((terminals, COMPROMISED_DAYS + 1))
    states[:, 0] = 1
    found = np.full(len(clean), COMPROMISE_RATE * np.minimum(of["day"] + 1, DELAY))
    starts = np.searchsorted(of["day"], np.arange(days + 1))
    for day in range(days - DELAY):
        labels = slice(starts[day], starts[day + 1])
        asked = slice(starts[day + DELAY], starts[day + DELAY + 1])
        # Of the labels of the day a week ago, those until the time of the payment are known.
        key = of["terminal"][labels].astype(np.int64) * SECONDS_A_DAY + of["second"][labels]
        order = np.argsort(key, kind="stable")
        sums = np.zeros((2, len(order) + 1))
        np.cumsum([clean[labels][order], genuine[labels][order]], axis=1, out=sums[:, 1:])
        low = of["terminal"][asked].astype(np.int64) * SECONDS_A_DAY
        until = np.searchsorted(key[order], low + of["second"][asked], side="right")
        if_clean, against = sums[:, until] - sums[:, np.searchsorted(key[order], low)]
        prior = states[of["terminal"][asked]]
        weight = np.exp(if_clean) * prior[:, 0]
        possible = prior * (against < 0.5)[:, None]
        # Over by now, unless compromised again.
        over = weight + possible[:, 1 : DELAY + 1].sum(axis=1)
        total = weight + possible[:, 1:].sum(axis=1)
        found[asked] = 1 - (1 - COMPROMISE_RATE) ** DELAY * over / total
        # All labels of the day are known to the next one.
        log_clean = np.bincount(of["terminal"][labels], clean[labels], terminals)
        refuted = np.bincount(of["terminal"][labels], genuine[labels], terminals) > 0
        states[:, 0] *= np.exp(log_clean)
        states[:, 1:] *= ~refuted[:, None]
        states = step(states / states.sum(axis=1, keepdims=True), COMPROMISE_RATE)
    return found
