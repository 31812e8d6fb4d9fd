"""Find leaks: features that are known only together with the target, or after it."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import polars as pl
from duckdb import DuckDBPyRelation
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ..data.import_rows import quoted
from ..data.profile import Profile
from ..data.table_rules import cleaned
from ..data.table_schema import Schema

SAMPLE = 20_000  # rows that are looked at, at most
LEAK = 0.995  # a column that predicts the target so well alone (ROC AUC, R²) is suspected
ASKED = {True: 0.65, False: 0.9}  # share of the variance that a column explains: classes, numbers
STRONGEST = 50  # columns that are compared
MOST = 5  # columns that people are asked about
LARGEST_CLASSES = 10  # classes that are looked at, if there are more


def without_leaks(profile: Profile, table: DuckDBPyRelation, target: str) -> Profile:
    """Make suspected features outcomes, with a warning for each; ask about other strong ones."""
    columns = {**profile.schema.columns}
    warnings = [*profile.warnings]
    truth, is_class, inputs = read_sample(table, profile.schema, target)
    scores = {name: score_alone(values, truth, is_class) for name, values in inputs.items()}
    ranked = sorted((name for name in inputs if scores[name]), key=lambda name: -scores[name])
    for name in (name for name in inputs if scores[name] > LEAK):
        columns[name] = columns[name].model_copy(update={"role": "outcome"})
        warnings.append(
            f"{name} predicts the target nearly alone ({scores[name]:.4f} of 1): it is an outcome "
            "now; make it a feature only if it is known before the target"
        )
    strong = {name: inputs[name] for name in ranked if scores[name] <= LEAK}
    for name, alone, others in stand_out(strong, truth, is_class):
        warnings.append(
            f"{name} alone explains {alone:.0%} of how the target varies, the other features "
            f"together {others:.0%}: if it is not known before the target, add --outcome for it"
        )
    schema = profile.schema.model_copy(update={"columns": columns})
    return Profile(schema, profile.positive, warnings)


def read_sample(
    table: DuckDBPyRelation, schema: Schema, target: str
) -> tuple[NDArray[Any], bool, Mapping[str, NDArray[Any]]]:
    """Return the target as numbers, whether they are classes, and features: (rows, 1) each."""
    chosen = {}
    for name in (target, *schema.of_role("feature")):
        column = schema.columns[name]
        kind = "DOUBLE" if column.type in ("number", "integer") else "VARCHAR"
        chosen[name] = f"TRY_CAST({cleaned(schema, name, column)} AS {kind})"
    sample = table.project(", ".join(f"{sql} AS {quoted(n)}" for n, sql in chosen.items()))
    order = ", ".join(map(quoted, chosen))
    rows = sample.order(f"hash({order})").limit(SAMPLE).pl()  # in any order
    truth = codes(rows[target])
    usable = np.isfinite(truth)
    inputs = {name: codes(rows[name])[usable, None] for name in schema.of_role("feature")}
    return truth[usable], rows[target].dtype == pl.String, inputs


def stand_out(
    inputs: Mapping[str, NDArray[Any]], truth: NDArray[Any], is_class: bool
) -> Iterator[tuple[str, float, float]]:
    """Yield features that explain more than the others together, or nearly all that is explained.

    The shares of the variance are those of the feature and of the others. `inputs` has the features
    that predict best first. With these limits, 1 of 163 public tables had a needless question.
    """
    if is_class:
        labels, counts = np.unique(truth, return_counts=True)
        truth = truth[:, None] == labels[np.argsort(-counts)[:LARGEST_CLASSES]]
    tree = DecisionTreeRegressor(max_leaf_nodes=100, min_samples_leaf=5, random_state=0)
    forest = ExtraTreesRegressor(30, min_samples_leaf=2, random_state=0)
    compared = dict(islice(inputs.items(), STRONGEST))
    for name in islice(inputs, MOST):
        alone = max(explained(model, [inputs[name]], truth) for model in (tree, forest))
        if alone < ASKED[is_class] or len(compared) < 2:
            continue
        together = explained(forest, compared.values(), truth)
        others = explained(forest, [v for n, v in compared.items() if n != name], truth)
        if 1 - alone < max(0.02, (1 - together) / 0.85, (1 - others) / 2):
            del compared[name]
            yield name, alone, max(others, 0.0)


def explained(model: Any, inputs: Iterable[NDArray[Any]], truth: NDArray[Any]) -> float:
    """Return the share of the target's variance in each half that a model of the other explains."""
    values = np.hstack([*inputs]).astype(np.float32)
    predicted = cross_val_predict(model, values, truth, cv=2)
    return float(r2_score(truth, predicted, multioutput="variance_weighted"))


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
