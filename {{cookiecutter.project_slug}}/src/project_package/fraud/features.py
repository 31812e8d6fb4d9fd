"""The declaration of the fraud features: what they mean, and the one function that computes them.

Fifteen are the inputs of the published baseline (Le Borgne et al. 2022, chapter 3): the amount,
when it was paid, how often and how much the card paid lately, and how often the terminal's
payments turned out as fraud. The rest describe behaviour: how an amount compares with what is
typical of the card, how many amounts of the card were far from typical, and whether the latest
known payments at the terminal are one unbroken run of frauds. A label is known seven days after
the payment, so no window over labels ends later than that.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..contract import ALL, At, Columns
from ..features.windows import (
    MILLISECONDS_A_DAY,
    Aggregate,
    Derived,
    Feature,
    Window,
    lookback,
    stream,
)

Values: TypeAlias = NDArray[Any]

CARD, TERMINAL = "customer_id", "terminal_id"
LABEL_DELAY_DAYS = 7
ORDINARY_LIMIT = 2.5
OUTLIER_LIMIT = 3.0


def is_weekend(timestamp: Values) -> Values:
    """Tell Saturdays and Sundays, in UTC; day 0 of Unix time was a Thursday."""
    return (timestamp // MILLISECONDS_A_DAY + 3) % 7 >= 5


def is_night(timestamp: Values) -> Values:
    """Tell the hours 0 to 6, in UTC."""
    return timestamp // 3_600_000 % 24 <= 6


def is_ordinary(amount: Values, mean: Values) -> Values:
    """Tell amounts that are not far above the card's mean, which they are part of."""
    return amount <= ORDINARY_LIMIT * mean


def typical_amount(ordinary_sum: Values, ordinary_count: Values, mean: Values) -> Values:
    """Give the mean of the card's ordinary amounts, or its plain mean while it has none."""
    return np.where(ordinary_count > 0, ordinary_sum / np.maximum(ordinary_count, 1), mean)


def amount_ratio(amount: Values, typical: Values) -> Values:
    """Divide; 1 for a card whose typical amount is 0, because it only ever paid 0."""
    return np.where(typical > 0, amount / np.where(typical > 0, typical, 1), 1.0)


def is_outlier(ratio: Values) -> Values:
    """Tell amounts far above what is typical of the card."""
    return ratio > OUTLIER_LIMIT


def _card(
    name: str, meaning: str, aggregate: Aggregate, days: int, value: str | None = None
) -> Window:
    """Declare a window over what the card paid, up to and with the payment itself."""
    return Window(name, f"{meaning}, last {days} d", CARD, aggregate, days, 0, value)


def _terminal(
    name: str, meaning: str, aggregate: Aggregate, days: int, value: str | None = None
) -> Window:
    """Declare a window over what the terminal took, up to where labels are known."""
    meaning = f"{meaning}, in {days} d ending {LABEL_DELAY_DAYS} d ago"
    return Window(name, meaning, TERMINAL, aggregate, days, LABEL_DELAY_DAYS, value)


def _recent(days: int) -> tuple[Feature, ...]:
    return (
        _card(f"customer_count_{days}d", "payments of the card", "count", days),
        _card(f"customer_mean_{days}d", "mean amount of the card", "mean", days, "amount"),
    )


def _outliers(days: int) -> Feature:
    meaning = "payments of the card far above its typical amount"
    return _card(f"customer_outliers_{days}d", meaning, "sum", days, "is_outlier")


def _risk(days: int) -> tuple[Feature, ...]:
    risk = "share of frauds at the terminal"
    return (
        _terminal(f"terminal_count_{days}d", "payments at the terminal", "count", days),
        _terminal(f"terminal_risk_{days}d", risk, "mean", days, "is_fraud"),
    )


ROW_FEATURES: tuple[Feature, ...] = (
    Derived("is_weekend", "paid on a Saturday or a Sunday, UTC", is_weekend, ("timestamp",)),
    Derived("is_night", "paid from 0:00 to 6:59, UTC", is_night, ("timestamp",)),
)

# Two rounds, because a plain mean follows the frauds: what stands out of the last week is left out
# of the typical amount, and what stands out of the typical amount is an outlier.
CARD_FEATURES: tuple[Feature, ...] = (
    *_recent(1),
    *_recent(7),
    *_recent(30),
    Derived(
        "is_ordinary",
        f"amount up to {ORDINARY_LIMIT:g} times the card's mean of 7 d",
        is_ordinary,
        ("amount", "customer_mean_7d"),
    ),
    Derived("ordinary_amount", "the amount, or 0", np.multiply, ("amount", "is_ordinary")),
    _card("ordinary_count_30d", "ordinary payments of the card", "sum", 30, "is_ordinary"),
    _card("ordinary_sum_30d", "sum of the card's ordinary amounts", "sum", 30, "ordinary_amount"),
    Derived(
        "customer_typical_amount",
        "mean of the card's ordinary amounts, last 30 d",
        typical_amount,
        ("ordinary_sum_30d", "ordinary_count_30d", "customer_mean_30d"),
    ),
    Derived(
        "amount_over_typical",
        "the amount over the card's typical amount",
        amount_ratio,
        ("amount", "customer_typical_amount"),
    ),
    Derived(
        "is_outlier",
        f"amount above {OUTLIER_LIMIT:g} times the card's typical amount",
        is_outlier,
        ("amount_over_typical",),
    ),
    _outliers(3),
    _outliers(7),
)

TERMINAL_FEATURES: tuple[Feature, ...] = (
    *_risk(1),
    *_risk(7),
    *_risk(30),
    _terminal(
        "terminal_run_length",
        "frauds at the terminal since its last genuine payment",
        "run_length",
        30,
        "is_fraud",
    ),
    _terminal(
        "terminal_run_age",
        "days since the first of the terminal's frauds in a row",
        "run_age_days",
        30,
        "is_fraud",
    ),
    _terminal(
        "terminal_days_since_genuine",
        "days since the terminal's last genuine payment",
        "days_since_false",
        30,
        "is_fraud",
    ),
)

FEATURES = (*ROW_FEATURES, *CARD_FEATURES, *TERMINAL_FEATURES)
LOOKBACK_DAYS = MappingProxyType(lookback(FEATURES))
"""How many days of a card's and of a terminal's history a payment's features depend on."""

_STEPS = {"is_ordinary", "ordinary_amount", "ordinary_count_30d", "ordinary_sum_30d", "is_outlier"}
DESCRIPTIONS: Mapping[str, str] = MappingProxyType(
    {"amount": "amount of the payment"}
    | {feature.name: feature.description for feature in FEATURES if feature.name not in _STEPS}
)
"""What each input of the model means, in the order in which the model takes them."""
INPUTS = tuple(DESCRIPTIONS)


def feature_columns(
    rows: Columns, at: At = ALL, features: Sequence[Feature] = FEATURES
) -> dict[str, NDArray[np.float32]]:
    """Compute the inputs of the model for the rows `at`, float32, one of each per row.

    `rows` are payments in order of time: timestamp (int64, milliseconds UTC), customer_id and
    terminal_id (one integer code each), amount, is_fraud (False where not known yet: labels of the
    last seven days are never read). The other rows are history; with `LOOKBACK_DAYS` of
    it for the card and the terminal of a row, the result is that of the whole table to the bit.

    Raises ValueError when the rows are not in order of time.
    """
    columns = {"amount": rows["amount"][at].astype(np.float32)}
    for name, values in stream(features, rows, at):
        if name in DESCRIPTIONS:
            columns[name] = values.astype(np.float32)
    return columns
