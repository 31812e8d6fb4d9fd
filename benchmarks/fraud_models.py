"""The models of the benchmark: the book's on the book's inputs, with its numbers, and our own.

The book: Le Borgne, Siblini, Lebichot and Bontempi, "Reproducible Machine Learning for Credit Card
Fraud Detection, Practical Handbook" (Université Libre de Bruxelles, 2022).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from project_package.columns import Columns, stack
from project_package.contract.training import Candidate
from project_package.features.windows import (
    MILLISECONDS_A_DAY,
    Derived,
    Feature,
    Window,
    stream,
)
from project_package.fraud.features import CARD, INPUTS, LABEL_DELAY_DAYS, TERMINAL
from project_package.fraud.models import CANDIDATES

FIT_SEED = 0
DAYS = (1, 7, 30)
BOOK_FEATURES: tuple[Feature, ...] = (
    # Day 0 of Unix time was a Thursday.
    Derived("is_weekend", "", lambda t: (t // MILLISECONDS_A_DAY + 3) % 7 >= 5, ("timestamp",)),
    Derived("is_night", "", lambda t: t // 3_600_000 % 24 <= 6, ("timestamp",)),
    *(Window(f"customer_count_{days}d", "", CARD, "count", days) for days in DAYS),
    *(Window(f"customer_mean_{days}d", "", CARD, "mean", days, 0, "amount") for days in DAYS),
    *(
        Window(f"terminal_count_{days}d", "", TERMINAL, "count", days, LABEL_DELAY_DAYS)
        for days in DAYS
    ),
    *(
        Window(f"terminal_risk_{days}d", "", TERMINAL, "mean", days, LABEL_DELAY_DAYS, "is_fraud")
        for days in DAYS
    ),
)
BOOK_INPUTS = ("amount", *(feature.name for feature in BOOK_FEATURES))
BOOK_MODELS = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "tree of depth 2": DecisionTreeClassifier(max_depth=2, random_state=FIT_SEED),
    "random forest": RandomForestClassifier(n_jobs=2, random_state=FIT_SEED),
}
ONE_WEEK = {  # ROC AUC, AP, CP@100 of days 129 to 135, with scikit-learn's own settings
    "logistic regression": (0.871, 0.606, 0.291),
    "tree of depth 2": (0.763, 0.496, 0.241),
    "random forest": (0.867, 0.658, 0.287),
}
FOUR_WEEKS = {  # the mean of four weeks, with tuned settings
    "random forest": (0.870, 0.678, 0.299),
    "XGBoost": (0.869, 0.687, 0.303),
    "neural network": (0.876, 0.675, 0.303),
}

Numbers: TypeAlias = NDArray[Any]
Predict: TypeAlias = Callable[[Columns], Numbers]


@dataclass(frozen=True)
class Entry:
    """A model: its numbers of inputs and training days (0: it has none), and how to fit it."""

    name: str
    inputs: int
    days: int
    fit: Callable[[Columns], Predict]


def with_book_features(payments: pl.DataFrame) -> pl.DataFrame:
    """Add the book's features to payments in order of time."""
    rows = {
        "timestamp": payments["timestamp"].dt.epoch("ms").to_numpy(),
        **{name: payments[name].rank("dense").to_numpy() for name in (CARD, TERMINAL)},
        "amount": payments["amount"].to_numpy(),
        "is_fraud": payments["is_fraud"].cast(pl.Float64).to_numpy(),
    }
    return payments.with_columns(
        pl.Series(name, values.astype(np.float32)) for name, values in stream(BOOK_FEATURES, rows)
    )


def of_book(model: Any) -> Callable[[Columns], Predict]:
    """Fit a scikit-learn model on the book's inputs."""

    def matrix(rows: Columns) -> Numbers:
        return stack(rows, BOOK_INPUTS)

    def fit(rows: Columns) -> Predict:
        fitted = clone(model).fit(matrix(rows), rows["is_fraud"])
        return lambda week: fitted.predict_proba(matrix(week))[:, 1]

    return fit


def of_program(candidate: Candidate) -> Callable[[Columns], Predict]:
    """Fit a candidate of the program with the settings that its search starts from."""

    def fit(rows: Columns) -> Predict:
        model = candidate.fit(rows, candidate.start, FIT_SEED)
        return lambda week: model.predict(week)["score"]

    return fit


BOOK = [Entry(name, len(BOOK_INPUTS), 7, of_book(model)) for name, model in BOOK_MODELS.items()]
OURS = [
    Entry(candidate.name, len(INPUTS), days, of_program(candidate))
    for candidate in CANDIDATES
    for days in (7, 21)
]
ORACLE = Entry("oracle", 0, 0, lambda _: lambda week: week["oracle"])
