"""The simple baseline: logistic regression on counts of words and pairs of words (TF-IDF)."""

from dataclasses import dataclass
from typing import Any

from optuna import Trial
from skl2onnx import to_onnx
from skl2onnx.common.data_types import StringTensorType
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from ..bundle import Files
from ..columns import Columns
from ..contract.training import Candidate, Hyperparameters
from ..onnx_runtime import GRAPH
from .classify_and_explain import Details
from .task import lower

WORD = "[a-z0-9]+"


@dataclass(frozen=True)
class WordModel:
    """A fitted pipeline."""

    pipeline: Pipeline
    details: Details

    def predict(self, rows: Columns) -> Columns:
        """Return what `Details.decide` does."""
        return self.details.decide(self.pipeline.predict_log_proba(lower(rows["text"])))

    def files(self) -> Files:
        """Return graph and details."""
        graph = to_onnx(
            self.pipeline,
            initial_types=[("text", StringTensorType([None, 1]))],
            options={id(self.pipeline): {"zipmap": False}, TfidfVectorizer: {"tokenexp": WORD}},
            target_opset={"": 18, "ai.onnx.ml": 3},
        )
        return {GRAPH: bytes(graph.SerializeToString()), **self.details.files()}


def fit(rows: Columns, settings: Hyperparameters, *_: object) -> WordModel:
    """Fit the pipeline."""
    pipeline: Any = make_pipeline(
        TfidfVectorizer(lowercase=False, token_pattern=WORD, ngram_range=(1, 2), min_df=2),
        LogisticRegression(**settings, class_weight="balanced", max_iter=2_000),
    )
    pipeline.fit(lower(rows["text"]), rows["type"].astype(str))
    return WordModel(pipeline, Details(types=tuple(pipeline.classes_.tolist()), inputs="text"))


def space(trial: Trial) -> Hyperparameters:
    """Suggest settings of the logistic regression."""
    return {"C": trial.suggest_float("C", 1, 100, log=True)}


BASELINE = Candidate("tfidf", {"C": 10.0}, fit, space)
