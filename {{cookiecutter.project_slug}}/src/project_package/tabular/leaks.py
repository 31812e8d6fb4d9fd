"""Find leaks: features that are known only together with the target, or after it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from duckdb import DuckDBPyRelation
from numpy.typing import NDArray
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ..data.import_rows import quoted
from ..data.profile import Profile
from ..data.table_rules import cleaned
from ..data.table_schema import Schema

SAMPLE = 20_000  # rows that are looked at, at most
LEAK = 0.995  # a column that predicts the target so well alone (ROC AUC, R²) is suspected


def without_leaks(profile: Profile, table: DuckDBPyRelation, target: str) -> Profile:
    """Make suspected features outcomes, with a warning for each."""
    columns = {**profile.schema.columns}
    warnings = [*profile.warnings]
    for name, score in leaks(table, profile.schema, target):
        columns[name] = columns[name].model_copy(update={"role": "outcome"})
        warnings.append(
            f"{name} predicts the target nearly alone ({score:.4f} of 1): it is an outcome now; "
            "make it a feature only if it is known before the target"
        )
    schema = profile.schema.model_copy(update={"columns": columns})
    return Profile(schema, profile.positive, warnings)


def leaks(table: DuckDBPyRelation, schema: Schema, target: str) -> Iterator[tuple[str, float]]:
    """Yield features that alone predict the target of other rows, with the score."""
    chosen = {}
    for name in (target, *schema.of_role("feature")):
        column = schema.columns[name]
        kind = "DOUBLE" if column.type in ("number", "integer") else "VARCHAR"
        chosen[name] = f"TRY_CAST({cleaned(schema, name, column)} AS {kind})"
    sample = table.project(", ".join(f"{sql} AS {quoted(n)}" for n, sql in chosen.items()))
    order = ", ".join(map(quoted, chosen))
    rows = sample.order(f"hash({order})").limit(SAMPLE).pl()  # in any order
    truth = codes(rows[target])
    is_class = rows[target].dtype == pl.String
    usable = np.isfinite(truth)
    for name in schema.of_role("feature"):
        score = score_alone(codes(rows[name])[usable, None], truth[usable], is_class)
        if score > LEAK:
            yield name, score


def codes(values: pl.Series) -> NDArray[Any]:
    """Return numbers, or the ranks of texts; NaN where missing."""
    numbers = values.rank("dense") if values.dtype == pl.String else values
    return numbers.cast(pl.Float64).fill_null(np.nan).to_numpy()


def score_alone(inputs: NDArray[Any], truth: NDArray[Any], is_class: bool) -> float:
    """Return how well one column predicts the target of the other half: ROC AUC or R²."""
    labels, code, counts = np.unique(truth, return_inverse=True, return_counts=True)
    if is_class:  # each half needs each class
        inputs = inputs[counts[code] > 1]
        truth = truth[counts[code] > 1]
        labels = labels[counts > 1]
    if len(labels) < 2 or (is_class and 4 * len(labels) > len(truth)):
        return 0.0
    kind = DecisionTreeRegressor
    scoring = "r2"
    if is_class:
        kind = DecisionTreeClassifier
        scoring = "roc_auc_ovr"
    model = kind(max_leaf_nodes=32, min_samples_leaf=5, random_state=0)
    return float(cross_val_score(model, inputs, truth, cv=2, scoring=scoring).mean())
