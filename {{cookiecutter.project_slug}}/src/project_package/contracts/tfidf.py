"""The simple baseline: logistic regression on counts of words and pairs of words (TF-IDF)."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna import Trial
from skl2onnx import to_onnx
from skl2onnx.common.data_types import StringTensorType
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from ..bundle import Files
from ..columns import Columns
from ..contract.training import Hyperparameters
from .task import WORDS, lower

WORD = r"[^\W_]+"
WORD_IN_ONNX = r"[\p{L}\p{N}]+"


@dataclass(frozen=True)
class WordModel:
    """A fitted pipeline."""

    pipeline: Pipeline

    def probabilities(self, rows: Columns) -> NDArray[np.float64]:
        """Return the probability of each type, (rows, types)."""
        found: NDArray[np.float64] = self.pipeline.predict_proba(lower(rows["text"]))
        return found

    @cached_property
    def graph(self) -> bytes:
        """The pipeline in ONNX; the export takes two seconds."""
        graph = to_onnx(
            self.pipeline,
            initial_types=[("text", StringTensorType([None, 1]))],
            options={
                id(self.pipeline): {"zipmap": False},
                TfidfVectorizer: {"tokenexp": WORD_IN_ONNX},
            },
            target_opset={"": 18, "ai.onnx.ml": 3},
        )
        return bytes(graph.SerializeToString())

    def files(self) -> Files:
        """Return the graph."""
        return {WORDS: self.graph}


def fit(rows: Columns, settings: Hyperparameters) -> WordModel:
    """Fit the pipeline."""
    pipeline: Any = make_pipeline(
        TfidfVectorizer(lowercase=False, token_pattern=WORD, ngram_range=(1, 2), min_df=2),
        LogisticRegression(**settings, class_weight="balanced", max_iter=2_000),
    )
    return WordModel(pipeline.fit(lower(rows["text"]), rows["type"].astype(str)))


def space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the logistic regression."""
    return {"C": trial.suggest_float("C", 1, 100, log=True)}
