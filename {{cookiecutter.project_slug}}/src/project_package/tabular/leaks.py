"""Find leaks: features that are known only together with the target, or after it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from duckdb import DuckDBPyRelation
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_predict
from sklearn.tree import DecisionTreeRegressor

from ..data.import_rows import quoted
from ..data.profile import Profile
from ..data.table_rules import cleaned
from ..data.table_schema import Schema

SAMPLE = 20_000  # rows that are looked at, at most
CLASSES = 10  # of the target, the largest, that are looked at
LEAK = 0.98  # a column that explains so much of the target's variance alone becomes an outcome
WARNED = {True: 0.65, False: 0.9}  # and there is a warning from here: of classes, of numbers
MOST = 5  # columns with a warning
STRONGEST = 50  # columns with which they are compared
TREE = DecisionTreeRegressor(max_leaf_nodes=100, min_samples_leaf=5, random_state=0)
FOREST = ExtraTreesRegressor(30, min_samples_leaf=2, random_state=0)


def without_leaks(profile: Profile, table: DuckDBPyRelation, target: str) -> Profile:
    """Make leaks outcomes, with a warning for each, and warn of features that may be leaks."""
    columns = {**profile.schema.columns}
    warnings = [*profile.warnings]
    names = profile.schema.of_role("feature")
    for number, alone, others in suspects(*read_sample(table, profile.schema, target)):
        name = names[number]
        advice = "if it is not known before the target, add --outcome for it"
        if alone > LEAK:
            columns[name] = columns[name].model_copy(update={"role": "outcome"})
            advice = "it is an outcome now; make it a feature only if it is known before the target"
        warnings.append(
            f"{name} alone explains {alone:.0%} of how the target varies, the other features "
            f"together {others:.0%}: {advice}"
        )
    schema = profile.schema.model_copy(update={"columns": columns})
    return Profile(schema, profile.positive, warnings)


def read_sample(
    table: DuckDBPyRelation, schema: Schema, target: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the target, (rows,) or (rows, classes), and the features, (rows, features)."""
    chosen = {}
    for name in (target, *schema.of_role("feature")):
        column = schema.columns[name]
        kind = "DOUBLE" if column.type in ("number", "integer") else "VARCHAR"
        chosen[name] = f"TRY_CAST({cleaned(schema, name, column)} AS {kind})"
    sample = table.project(", ".join(f"{sql} AS {quoted(n)}" for n, sql in chosen.items()))
    order = ", ".join(map(quoted, chosen))
    rows = sample.order(f"hash({order})").limit(SAMPLE).pl()  # in any order
    truth, *features = (codes(rows[name]) for name in chosen)
    usable = np.isfinite(truth)
    truth = truth[usable]
    if rows[target].dtype == pl.String:
        labels, counts = np.unique(truth, return_counts=True)
        truth = truth[:, None] == labels[np.argsort(-counts)[:CLASSES]]
    return truth, np.array(features, np.float32).reshape(len(features), len(usable)).T[usable]


def suspects(truth: NDArray[Any], values: NDArray[Any]) -> Iterator[tuple[int, float, float]]:
    """Yield features that explain twice as well as the others together, or all that is explained.

    With each come the shares of the variance that it and the others explain. The limits were chosen
    on 162 public tables: they name columns in 23 of them, one of these columns needlessly.
    """
    scores = np.array([explained(TREE, column[:, None], truth) for column in values.T])
    left = np.argsort(-scores).tolist()
    for number in left[: MOST + np.sum(scores > LEAK)]:
        alone = max(scores[number], explained(FOREST, values[:, [number]], truth))
        if alone < WARNED[truth.ndim > 1]:
            continue
        rest = [other for other in left if other != number][:STRONGEST]
        others = explained(FOREST, values[:, rest], truth)
        together = explained(FOREST, values[:, [number, *rest]], truth)
        if 1 - alone < max(1 - LEAK, (1 - together) / 0.85, (1 - others) / 2):
            left.remove(number)
            yield number, alone, others


def explained(model: Any, values: NDArray[Any], truth: NDArray[Any]) -> float:
    """Return the share of the variance of each half that a model of the other half explains."""
    if not values.size or len(np.unique(truth)) < 2:
        return 0.0
    predicted = cross_val_predict(model, values, truth, cv=2)
    return max(0.0, float(r2_score(truth, predicted, multioutput="variance_weighted")))


def codes(values: pl.Series) -> NDArray[Any]:
    """Return numbers, or the ranks of texts; NaN where missing."""
    numbers = values.rank("dense") if values.dtype == pl.String else values
    return numbers.cast(pl.Float64).fill_null(np.nan).to_numpy()
