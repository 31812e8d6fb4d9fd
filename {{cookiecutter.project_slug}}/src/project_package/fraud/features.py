"""The features of a payment: what they mean, and the one function that computes them.

Amount, payments of the card and share of frauds at the terminal are inputs of the published
baseline (Le Borgne et al. 2022, chapter 3). The others describe behaviour: how the amount compares
with what is typical of the card, how far recent amounts of the card exceed it, whether the latest
known payments at the terminal are an unbroken run of frauds, and how large the frauds at the
terminal are: a single large fraud is more likely that of a stolen card than of a compromised
terminal. The other inputs of the baseline (time, longer windows of the card, how often the terminal
is used) add nothing to these: see the notebook. A label is known seven days after the payment, so
no window over labels ends later than that.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ..columns import Columns, stack
from ..features.look_back import entities
from ..features.windows import (
    EVERY_ROW,
    Aggregate,
    Derived,
    Feature,
    Positions,
    Window,
    stream,
)

CARD = "customer_id"
TERMINAL = "terminal_id"
LABEL_DELAY_DAYS = 7


def _card(
    name: str, meaning: str, aggregate: Aggregate, days: int, value: str | None = None
) -> Window:
    return Window(name, f"{meaning}, last {days} d", CARD, aggregate, days, 0, value)


def _terminal(
    name: str, meaning: str, aggregate: Aggregate, days: int, value: str | None = "is_fraud"
) -> Window:
    """Declare a window that ends when labels are known; for other values declare a `Window`."""
    meaning = f"{meaning}, in {days} d ending {LABEL_DELAY_DAYS} d ago"
    return Window(name, meaning, TERMINAL, aggregate, days, LABEL_DELAY_DAYS, value)


FEATURES: tuple[Feature, ...] = (
    # Frauds of the data set do not show in it, but those of a card that is tested with small
    # amounts: with it, `make drill` ends at an average precision of .84, without at .75.
    _card("customer_count_1d", "payments of the card", "count", 1),
    _card("customer_count_30d", "payments of the card", "count", 30),
    _card("customer_mean_7d", "mean amount of the card", "mean", 7, "amount"),
    _card("customer_mean_30d", "mean amount of the card", "mean", 30, "amount"),
    # Two rounds, because frauds raise a plain mean: amounts far above the mean of the last week do
    # not count in the typical amount, and only amounts above twice the typical amount are excess.
    Derived(
        "is_ordinary",
        "amount up to 2.5 times the card's mean of 7 d",
        lambda amount, mean: amount <= 2.5 * mean,
        ("amount", "customer_mean_7d"),
    ),
    Derived("ordinary_amount", "the amount, or 0", np.multiply, ("amount", "is_ordinary")),
    _card("ordinary_count_30d", "ordinary payments of the card", "sum", 30, "is_ordinary"),
    _card("ordinary_sum_30d", "sum of the card's ordinary amounts", "sum", 30, "ordinary_amount"),
    Derived(
        "customer_typical_amount",
        "mean of the card's ordinary amounts, last 30 d",
        # The card's plain mean while it has no ordinary amount.
        lambda total, count, mean: np.where(count > 0, total / np.maximum(count, 1), mean),
        ("ordinary_sum_30d", "ordinary_count_30d", "customer_mean_30d"),
    ),
    Derived(
        "amount_over_typical",
        "the amount over the card's typical amount",
        # 1 where the typical amount is 0, because the card only ever paid 0.
        lambda amount, usual: np.where(usual > 0, amount / np.where(usual > 0, usual, 1), 1),
        ("amount", "customer_typical_amount"),
    ),
    # Graded: three times the typical amount is weak evidence, six times strong. With the limit, no
    # single payment counts as much as several.
    Derived(
        "excess",
        "amount over the typical amount, less 2; from 0 to 4",
        lambda ratio: np.clip(ratio - 2, 0, 4),
        ("amount_over_typical",),
    ),
    _card("customer_excess_3d", "how far amounts exceed twice the typical one", "sum", 3, "excess"),
    _card("customer_excess_7d", "how far amounts exceed twice the typical one", "sum", 7, "excess"),
    _terminal("terminal_count_30d", "payments at the terminal", "count", 30, None),
    _terminal("terminal_risk_1d", "share of frauds at the terminal", "mean", 1),
    _terminal("terminal_risk_7d", "share of frauds at the terminal", "mean", 7),
    _terminal("terminal_risk_30d", "share of frauds at the terminal", "mean", 30),
    _terminal("terminal_run_length", "frauds in a row at the terminal", "run_length", 30),
    _terminal("terminal_run_age", "days since the first fraud in a row", "run_age_days", 30),
    _terminal(
        "terminal_days_since_genuine", "days since a genuine payment", "days_since_false", 30
    ),
    Derived("fraud_amount", "the amount of a fraud, or 0", np.multiply, ("is_fraud", "amount")),
    _terminal("fraud_amount_30d", "mean of these amounts", "mean", 30, "fraud_amount"),
    Derived(
        "terminal_fraud_mean_30d",
        f"mean amount of frauds at the terminal, in 30 d ending {LABEL_DELAY_DAYS} d ago",
        lambda amount, risk: amount / np.where(risk > 0, risk, 1),
        ("fraud_amount_30d", "terminal_risk_30d"),
    ),
)
ENTITIES = entities(FEATURES)
"""Whose earlier payments the features read: card and terminal."""
LOOKBACK = max(entity.ttl for entity in ENTITIES)
_NAMES = {feature.name for feature in FEATURES}
RAW = tuple(dict.fromkeys(name for f in FEATURES for name in f.inputs if name not in _NAMES))
"""The raw columns that features read."""

# Features that only other features read.
_STEPS = {
    *("customer_mean_7d", "customer_mean_30d", "customer_typical_amount"),
    *("is_ordinary", "ordinary_amount", "ordinary_count_30d", "ordinary_sum_30d", "excess"),
    *("fraud_amount", "fraud_amount_30d"),
}
COUNTS = ("customer_count_30d", "terminal_count_30d")
"""Features that only the evaluation reads, to tell busy cards and terminals from others."""
DESCRIPTIONS = {"amount": "amount of the payment"} | {
    f.name: f.description for f in FEATURES if f.name not in {*_STEPS, *COUNTS}
}
"""What each input of the model means, in the order in which the model takes them."""
INPUTS = tuple(DESCRIPTIONS)
FEATURE_GROUPS = {
    "amount": ("amount",),
    "amount for the card": ("amount_over_typical",),
    "recent payments of the card": (
        "customer_count_1d",
        "customer_excess_3d",
        "customer_excess_7d",
    ),
    "frauds at the terminal": tuple(name for name in INPUTS if name.startswith("terminal")),
}
"""Features that belong together, for `ml checklist`: each group says one thing."""


def matrix(rows: Columns, inputs: Iterable[str] = INPUTS) -> NDArray[np.float32]:
    """Stack the inputs of the model: (rows, features)."""
    return stack(rows, inputs)


def feature_columns(rows: Columns, at: Positions = EVERY_ROW) -> dict[str, NDArray[np.float32]]:
    """Compute features of the rows `at`, float32: the inputs of the model, and `COUNTS`.

    `rows` are payments in order of time: timestamp (int64, milliseconds UTC), customer_id and
    terminal_id as one integer code each, and the columns `RAW`. The rows that are not in `at` are
    history; with as much of it for card and terminal as `ENTITIES` says, the result is that of the
    whole table to the bit. Raises ValueError when the rows are not in order of time.
    """
    # A payment counts as genuine until its label is known.
    rows = {**rows, "is_fraud": np.nan_to_num(rows["is_fraud"], nan=0.0)}
    computed = stream(FEATURES, rows, at)
    return {name: values.astype(np.float32) for name, values in computed if name not in _STEPS}
