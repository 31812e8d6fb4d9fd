"""Make confidence a probability, and choose the least one that is accepted without a person."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from ..columns import Columns
from ..contract.training import Fitted, Outcome
from .classify_and_explain import Details
from .params import ContractsParams


def finish(params: ContractsParams, fitted: Any, _: Columns, validation: Outcome) -> Fitted:
    """Choose temperature and threshold on the validation clauses."""
    types = fitted.details.types
    right = validation.rows["type"].astype(str)
    probabilities = validation.predictions["probabilities"]
    details = fitted.details.model_copy(
        update={"temperature": temperature(probabilities, right, types)}
    )
    decided = details.decide(probabilities)
    wrong = decided["type"] != right
    limit = threshold(decided["confidence"], wrong, params.decide.error_rate)
    finished: Fitted = replace(fitted, details=details.model_copy(update={"threshold": limit}))
    return finished


def temperature(probabilities: NDArray[Any], right: NDArray[Any], types: tuple[str, ...]) -> float:
    """Return the temperature with the least log loss (Guo et al. 2017)."""

    def loss(exponent: float) -> float:
        details = Details(types=types, temperature=float(np.exp(exponent)))
        return float(log_loss(right, details.decide(probabilities)["probabilities"], labels=types))

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def threshold(confidence: NDArray[Any], wrong: NDArray[np.bool_], error_rate: float) -> float:
    """Return the lowest confidence that keeps an error rate, midway to the next lower one."""
    falling = np.argsort(-confidence, kind="stable")
    ordered = confidence[falling].astype(np.float64)
    shares = np.cumsum(wrong[falling]) / np.arange(1, len(falling) + 1)
    is_last = np.append(ordered[1:] != ordered[:-1], True)  # of equal ones
    allowed = np.flatnonzero((shares <= error_rate) & is_last)
    if not len(allowed):
        return 2.0  # which none reaches
    last = allowed[-1]
    return float(ordered[last] + ordered[min(last + 1, len(ordered) - 1)]) / 2
