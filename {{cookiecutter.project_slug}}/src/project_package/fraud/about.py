"""What report and model card say about the fraud model."""

from ..contract.about import About
from .params import SIMULATOR, FraudParams

SIMULATOR_LIMITS = (
    "Simulated fraud is easier than real fraud: on their real, private data the authors report an "
    "average precision of .105 at best.",
)


def about(params: FraudParams) -> About:
    """Describe the model for the report and the model card."""
    simulated = params.data.source == SIMULATOR
    return About(
        title="Card fraud detection",
        question="Is this card payment fraud?",
        use="An analyst reviews the flagged payments of the day, the highest scores first.",
        misuse="It must not decline a payment or block a card without a person.",
        data="Simulated payments, after the published simulator of Le Borgne et al. (2022)."
        if simulated
        else f"Payments read from {params.data.source}.",
        limits=(
            *(SIMULATOR_LIMITS if simulated else ()),
            "Labels are expected within seven days of the payment; until a label arrives, the "
            "features count the payment as genuine.",
            "A card without history is scored by its amount and its terminal only.",
        ),
        rows="payments",
        periods="weeks",
        baselines="The simple baseline is a logistic regression on the same features. “No model” "
        "ranks payments by their amount, and flags none.",
        terms={
            "amount": "in the currency of the data",
            "night": "from 0:00 to 6:59, UTC; day is the rest",
            "terminal with history": "it had a payment in the 30 days before",
            "scenario": "all genuine payments and the frauds of one kind. Large amount: above 220. "
            "Compromised terminal: all its payments of 28 days. Stolen card: a third of its "
            "payments of 14 days, five times as large",
        },
    )
