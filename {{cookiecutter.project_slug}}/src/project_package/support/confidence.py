"""Learn whether passages answer a question, and choose the confidence from which it is answered."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..columns import Columns
from ..contract.training import Fitted, Outcome
from ..errors import UserError
from .metrics import is_answerable
from .params import SupportParams

FOLDS = 40  # of topics; with fewer, each is held out alone
REGULARISATION = 0.1  # of few questions; stronger is less certain


def finish(params: SupportParams, fitted: Any, _: Columns, validation: Outcome) -> Fitted:
    """Fit a logistic regression of the signals, and choose the threshold.

    The threshold is that at which `decide.answer_rate` of the answerable questions are answered, by
    the confidence of a regression that was fitted without their topic: the final one has seen
    them, so its confidence in them is too high.

    Raises:
        UserError: all questions with an answer, or all without one, are on one topic.
    """
    signals = validation.predictions["signals"].astype(np.float64)
    answerable = is_answerable(validation.rows)
    topics = validation.rows["topic"].astype(str)
    if min(len(np.unique(topics[answerable == kind])) for kind in (True, False)) < 2:
        raise UserError(
            "questions.csv needs questions that documents answer, and some that none answers, each "
            "on several topics."
        )
    scaler = StandardScaler()
    linear = LogisticRegression(C=REGULARISATION)
    pipeline = make_pipeline(scaler, linear)
    folds = PredefinedSplit(folds_of(topics, answerable))
    held_out = cross_val_predict(pipeline, signals, answerable, cv=folds, method="predict_proba")
    pipeline.fit(signals, answerable)
    weights = linear.coef_[0] / scaler.scale_
    details = fitted.details.model_copy(
        update={
            "weights": tuple(weights.tolist()),
            "intercept": float(linear.intercept_[0] - weights @ scaler.mean_),
        }
    )
    confidence = held_out[answerable, 1]
    threshold = float(np.quantile(confidence, 1 - params.decide.answer_rate, method="lower"))
    finished: Fitted = replace(fitted, details=details.model_copy(update={"threshold": threshold}))
    return finished


def folds_of(topics: NDArray[Any], answerable: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the fold of each question, (rows,); those of a topic stay together.

    Topics are dealt to the folds in the order of their share of answerable questions, so that two
    topics with one kind of question are in two folds.
    """
    _, topic = np.unique(topics, return_inverse=True)
    shares = np.bincount(topic, answerable) / np.bincount(topic)
    rank = np.argsort(np.argsort(shares, kind="stable"))
    folds: NDArray[np.intp] = rank[topic] % FOLDS
    return folds
