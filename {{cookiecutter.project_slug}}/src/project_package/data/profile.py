"""Look at a table, given as text, and propose its schema, with warnings of what often goes wrong.

DuckDB reads one column after the other under a memory limit; only the search for leaks takes a
sample of the rows.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from duckdb import DuckDBPyRelation
from numpy.typing import NDArray
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from .sources import quoted
from .table_schema import Column, Role, Schema

NULLS = ("NA", "N/A", "#N/A", "n/a", "NaN", "nan", "NULL", "null", "?")
FORMATS = ("%d.%m.%Y", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y %H:%M")
"""How dates are written, besides ISO 8601."""
COMMA = r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?"
IDENTIFIER = re.compile(r"(^|[\W_])(id|key|uuid|index)$|[a-z]I[dD]$|^column \d+$", re.ASCII)
"""Names of identifiers; a column without a name is often the index of a data frame."""
CATEGORIES, CLASSES, LONGEST = 100, 10, 100
"""Values that are listed; values of a number that is a class; characters of a category."""
SAMPLE, LEAK = 20_000, 0.995
"""A column that alone predicts the target of other rows so well (ROC AUC, R²) is suspected."""
POSITIVE = ("true", "yes", "y", "1")


class Profile(NamedTuple):
    """The proposed schema, the positive class of two, and the warnings."""

    schema: Schema
    positive: str
    warnings: list[str]


class Counts(NamedTuple):
    """How many values a column has, how many can be read as what, and some of them."""

    rows: int
    known: int
    distinct: int
    numbers: int
    whole: int
    commas: int
    booleans: int
    dates: int
    length: float
    low: float
    high: float
    first: str
    formats: Sequence[int]


def profile(
    table: DuckDBPyRelation, target: str, roles: Mapping[str, Role], classes: Mapping[str, bool]
) -> Profile:
    """Profile a table whose columns are all text.

    `roles` are known, by column, and so may be whether the numbers of a column are classes.
    """
    nulls, warnings = null_values(table), []
    columns: dict[str, Column] = {}
    for name in table.columns:
        values = without_nulls(table, name, nulls)
        counts = count(values)
        column = read_as(counts)
        few = name == target and counts.distinct <= (CLASSES if column.type == "integer" else 2)
        if classes.get(name, few and column.type in ("integer", "number")):
            others = counts.distinct > CATEGORIES
            found = {"type": "category", "min": None, "max": None, "others": others}
            column = column.model_copy(update=found)
        role, why = roles.get(name), ""
        if role is None:
            taken = {*roles.values(), *(c.role for c in columns.values())}
            role, why = (
                ("target", "") if name == target else guess_role(name, column, counts, taken)
            )
        warnings += [f"{name} {one}" for one in (why, *oddities(column, counts)) if one]
        if column.type == "category":
            listed = categories(values, CATEGORIES)
            column = column.model_copy(update={"categories": listed, "example": listed[0]})
        if role in ("id", "group"):
            column = column.model_copy(
                update={"type": "text", "min": None, "max": None, "example": None}
            )
        columns[name] = column.model_copy(update={"role": role})
    for name, score in leaks(table, Schema(null_values=nulls, columns=columns), target):
        columns[name] = columns[name].model_copy(update={"role": "outcome"})
        warnings.append(
            f"{name} predicts the target nearly alone ({score:.4f} of 1): it is an outcome now; "
            "make it a feature only if it is known before the target"
        )
    schema = Schema(null_values=nulls, columns=columns)
    values = without_nulls(table, target, nulls)
    return Profile(schema, *about_target(values, columns[target], warnings, table))


def null_values(table: DuckDBPyRelation) -> tuple[str, ...]:
    """Return the texts in the table that stand for a missing value."""
    names = ", ".join(f"'{null}'" for null in NULLS)
    found = set()
    for name in table.columns:
        rows = table.filter(f"{quoted(name)} IN ({names})").project(quoted(name)).distinct()
        found |= {text for (text,) in rows.fetchall()}
    return tuple(null for null in NULLS if null in found)


def without_nulls(table: DuckDBPyRelation, name: str, nulls: tuple[str, ...]) -> DuckDBPyRelation:
    """Return a column as `v`, null where a text stands for a missing value."""
    missing = ", ".join(f"'{null}'" for null in ("", *nulls))
    column = quoted(name)
    return table.project(f"CASE WHEN {column} NOT IN ({missing}) THEN {column} END AS v")


def count(values: DuckDBPyRelation) -> Counts:
    """Count what the values of a column can be read as."""
    number = "TRY_CAST(v AS DOUBLE)"
    formats = ", ".join(f"count(try_strptime(v, '{one}'))" for one in FORMATS)
    row = values.aggregate(
        f"count(*), count(v), count(DISTINCT v), count({number}), "
        f"count(*) FILTER ({number} = round({number})), "
        f"count(*) FILTER (regexp_full_match(v, '{COMMA}')), "
        "count(*) FILTER (lower(v) IN ('true', 'false')), count(TRY_CAST(v AS TIMESTAMPTZ)), "
        f"coalesce(avg(length(v)), 0), min({number}), max({number}), min(v), [{formats}]"
    )
    return Counts(*row.fetchall()[0])


def categories(values: DuckDBPyRelation, most: int) -> tuple[str, ...]:
    """Return the most frequent values."""
    found = values.filter("v IS NOT NULL").aggregate("v, count(*) AS n").order("n DESC, v")
    return tuple(text for text, _ in found.limit(most).fetchall())


def read_as(counts: Counts) -> Column:
    """Return the column with the type that all of its values have."""
    share = 1 - counts.known / counts.rows
    column = Column(
        role="ignored",
        type="text",
        missing=max(round(share, 4), 0.0001) if share else 0,
        example=counts.first,
    )
    found: dict[str, Any] = {}
    if counts.booleans == counts.known:
        found = {"type": "boolean", "example": True}
    elif counts.numbers == counts.known:
        kind = "integer" if counts.whole == counts.known else "number"
        found = {"type": kind, "min": counts.low, "max": counts.high, "example": counts.low}
    elif counts.commas == counts.known:
        found = {"type": "number", "decimal": ","}
    elif counts.dates == counts.known:
        found = {"type": "date"}
    elif counts.known in counts.formats:
        found = {"type": "date", "format": FORMATS[counts.formats.index(counts.known)]}
    elif counts.distinct <= max(CATEGORIES, counts.known / 2) and counts.length <= LONGEST:
        found = {"type": "category", "others": counts.distinct > CATEGORIES}
    return column.model_copy(update=found)


def guess_role(name: str, column: Column, counts: Counts, taken: set[Role]) -> tuple[Role, str]:
    """Return the role of a column, and why if it is not a feature."""
    named, unique = IDENTIFIER.search(name), counts.distinct == counts.rows > 1
    if not counts.known:
        return "ignored", "has no values: it is ignored"
    if counts.distinct == 1 and not column.missing:
        return "ignored", "has one value only: it is ignored"
    if unique and (named or (column.type == "text" and counts.length <= 64)):
        role: Role = "ignored" if "id" in taken else "id"
        return role, f"is different in every row: it has the role {role}"
    if column.type == "text":
        return "ignored", "is free text: it is ignored"
    if named and counts.distinct > CATEGORIES and "group" not in taken:
        return "group", "looks like an id that repeats: rows with the same stay together (group)"
    return "feature", ""


def oddities(column: Column, counts: Counts) -> Iterator[str]:
    """Yield what people should look at in a column."""
    if 0.9 * counts.known < counts.numbers < counts.known:
        yield f"has numbers, but {counts.known - counts.numbers:,} values are not"
    if column.format:
        also = [f for f, n in zip(FORMATS, counts.formats, strict=True) if n == counts.known]
        yield f"has dates as text, read as {column.format}" + (
            f"; {also[1]} would fit too" if len(also) > 1 else ""
        )
    if column.type == "date" and not column.missing:
        yield "has a date in every row: if it says when a row was true, add --time for it"
    if column.others:
        yield f"has {counts.distinct:,} different values, of which {CATEGORIES} are listed"


def leaks(table: DuckDBPyRelation, schema: Schema, target: str) -> Iterator[tuple[str, float]]:
    """Yield features that alone predict the target of other rows, with the score."""
    chosen = ", ".join(quoted(name) for name in (target, *schema.of_role("feature")))
    sample = table.project(chosen).order(f"hash({chosen})").limit(SAMPLE).pl()  # in any order
    is_class = schema.columns[target].type not in ("number", "integer")
    truth = codes(sample[target], numeric=not is_class)
    known = np.isfinite(truth)
    for name in schema.of_role("feature"):
        inputs = codes(sample[name], schema.columns[name].type in ("number", "integer"))[
            known, None
        ]
        score = alone(inputs, truth[known], is_class)
        if score > LEAK:
            yield name, score


def codes(values: pl.Series, numeric: bool) -> NDArray[Any]:
    """Return values as numbers, or the ranks of texts; NaN where missing."""
    found = values.cast(pl.Float64, strict=False) if numeric else values.rank("dense")
    return found.cast(pl.Float64).fill_null(np.nan).to_numpy()


def alone(inputs: NDArray[Any], truth: NDArray[Any], is_class: bool) -> float:
    """Return how well one column predicts the target of every second row: ROC AUC or R²."""
    train, test = slice(0, None, 2), slice(1, None, 2)
    if len(np.unique(truth[train])) < 2 or len(np.unique(truth[test])) < 2:
        return 0.0
    settings = {"max_leaf_nodes": 32, "min_samples_leaf": 5, "random_state": 0}
    if not is_class:
        model = DecisionTreeRegressor(**settings).fit(inputs[train], truth[train])
        return float(r2_score(truth[test], model.predict(inputs[test])))
    model = DecisionTreeClassifier(**settings).fit(inputs[train], truth[train])
    chances = model.predict_proba(inputs[test])
    scores = [
        roc_auc_score(truth[test] == label, chances[:, column])
        for column, label in enumerate(model.classes_)
        if label in truth[test]
    ]
    return float(np.mean(scores))


def about_target(
    values: DuckDBPyRelation, column: Column, warnings: list[str], table: DuckDBPyRelation
) -> tuple[str, list[str]]:
    """Return the positive class of two, and the warnings with those about all rows."""
    found = dict(values.filter("v IS NOT NULL").aggregate("v, count(*)").fetchall())
    positive, total = "", table.count("*").fetchall()[0][0]
    if len(found) == 2 and column.type in ("boolean", "category"):
        rarer = min(found, key=lambda name: (found[name], name))
        positive = next((name for name in found if name.lower() in POSITIVE), rarer)
        if column.type == "boolean":
            positive = "true"
        if found[rarer] < total / 20:
            warnings.append(f"only {found[rarer]:,} of {total:,} rows have the target {rarer}")
    if column.missing:
        warnings.append("the target is missing in some rows: leave them out of the source")
    names = ", ".join(map(quoted, table.columns))
    different = table.aggregate(f"count(DISTINCT hash({names}))").fetchall()[0][0]
    if different < total:
        warnings.append(f"{total - different:,} rows repeat another row exactly")
    return positive, warnings
