"""How features become the columns of a model: numbers, categories and texts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2, f_regression
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from .date_parts import part_columns
from .problem import Problem

ONE_HOT = 12  # trees get a column for each value of a category with up to 12
VOCABULARY = 20_000  # words of a column, the most frequent, that a linear model gets
WEIGHT = 3.0  # of TF-IDF: its values are small, so they need less regularization than numbers
BEST = 100  # words of a column that trees get
HARMLESS = (
    f"k={BEST} is greater",  # there are fewer words
    "invalid value encountered in sqrt",  # a word that all texts have
    "The least populated class in y has only",  # some folds of means have no row of the class
)
"""Beginnings of warnings of the fit that say nothing about the model."""


def coarsen(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Clear the last four bits of float32 values; six digits remain.

    Histogram gradient boosting splits in the middle of two values, in float64; the graph compares
    in float32. Of such values, one at most 16 times the other, the middle is exact in float32, so
    both split alike. Otherwise rows that have the middle itself, as decimals often do, differ.
    """
    return (values.astype(np.float32).view(np.int32) & ~np.int32(15)).view(np.float32)


def preprocessing(problem: Problem, how: str, seed: int) -> ColumnTransformer:
    """Return the encoding of numbers, categories and texts, by their positions in the table.

    Trees get the mean of the target for each value of a category with many values, fitted within
    folds (Micci-Barreca 2001), or its position in the schema for a target of more than two classes,
    whose means ONNX does not have. They do not get the time that has passed, of which all new rows
    have more than those of training.
    """
    first = len(problem.numbers)
    elapsed = {n for n, (_, part) in part_columns(problem.table).items() if part == "elapsed"}
    columns = [problem.inputs[name] for name in problem.categories]
    scaled = how in ("scaled", "sparse")
    numbers = [n for n, name in enumerate(problem.numbers) if scaled or name not in elapsed]
    short = [scaled or (len(c.categories) <= ONE_HOT and not c.others) for c in columns]
    few = np.flatnonzero(short).tolist()
    many = [first + n for n in range(len(columns)) if n not in few]
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    clipped = MinMaxScaler(clip=True)  # else a value far out of range decides alone
    scalers = {"raw": "passthrough", "imputed": imputer}
    scaler = scalers.get(how, make_pipeline(imputer, clipped, StandardScaler()))
    values = [["", *column.categories] for column in columns]
    one_hot = OneHotEncoder(
        categories=[values[n] for n in few], handle_unknown="ignore", dtype=np.float32
    )
    kind = "continuous" if problem.kind == "regression" else problem.kind
    folds = (StratifiedKFold if problem.classes else KFold)(shuffle=True, random_state=seed)
    means = TargetEncoder(target_type=kind, cv=folds)
    positions = OrdinalEncoder(
        categories=[values[n - first] for n in many],
        handle_unknown="use_encoded_value",
        unknown_value=-1,
    )
    steps: list[tuple[str, Any, Any]] = [
        ("numbers", scaler, numbers or list(range(first))),
        ("one_hot", one_hot, [first + n for n in few]),
        ("many", positions if problem.kind == "multiclass" else means, many),
    ]
    steps = [step for step in steps if step[2]]
    text = text_encoding(problem, scaled)
    texts = {f"text {n}": first + len(columns) + n for n in range(len(problem.texts))}
    steps += [(name, text, position) for name, position in texts.items()]
    return ColumnTransformer(
        steps,
        sparse_threshold=0.3 if how == "sparse" else 0,
        transformer_weights=dict.fromkeys(texts, WEIGHT) if scaled else None,
    )


def text_encoding(problem: Problem, scaled: bool) -> Any:
    """Return the encoding of a text: TF-IDF of its words, and for trees counts of the best words.

    A graph counts exactly, but rounds TF-IDF and its truncated SVD in another way, and a tree
    takes another branch where a split lies in between. On five of seven public tables, counts were
    better than 50 components of the SVD, computed exactly; on two they were worse.
    """
    splits = {"lowercase": False, "token_pattern": r"\S+", "dtype": np.float32}
    if scaled:
        return TfidfVectorizer(max_features=VOCABULARY, **splits)
    best = SelectKBest(chi2 if problem.classes else f_regression, k=BEST)
    return make_pipeline(CountVectorizer(**splits), best)
