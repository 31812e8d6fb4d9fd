"""Learn whether passages answer a question, and choose the confidence from which it is answered."""

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..columns import Columns
from ..contract.training import Fitted, Outcome
from ..errors import UserError
from .metrics import is_answerable
from .params import SupportParams

REGULARISATION = 0.1  # of few questions; stronger is less certain


def finish(params: SupportParams, fitted: Any, _: Columns, validation: Outcome) -> Fitted:
    """Fit a logistic regression of the signals, and choose the threshold.

    The threshold is that at which `decide.answer_rate` of the answerable questions are answered.
    """
    signals = validation.predictions["signals"].astype(np.float64)
    answerable = is_answerable(validation.rows)
    if answerable.all() or not answerable.any():
        raise UserError(
            "questions.csv needs questions that documents answer, and some that none answers, on "
            "several topics."
        )
    scaler = StandardScaler()
    linear = LogisticRegression(C=REGULARISATION)
    make_pipeline(scaler, linear).fit(signals, answerable)
    weights = linear.coef_[0] / scaler.scale_
    details = fitted.details.model_copy(
        update={
            "weights": tuple(weights.tolist()),
            "intercept": float(linear.intercept_[0] - weights @ scaler.mean_),
        }
    )
    confidence = details.confidence(signals)[answerable]
    threshold = float(np.quantile(confidence, 1 - params.decide.answer_rate, method="lower"))
    finished: Fitted = replace(fitted, details=details.model_copy(update={"threshold": threshold}))
    return finished
