"""What report and model card say about the inspection."""

from ..contract.about import About
from .params import SIMULATOR, InspectionParams

SIMULATOR_LIMITS = (
    "Simulated defects are simpler than real ones: three kinds, one surface, sharp photos.",
    "The layers of the network were chosen for such images, though not on these.",
    "“Best possible” is the score of an observer who knows place and shape of each defect.",
)
GOOD_ONLY_LIMITS = (
    "The model has seen no defect: whatever is unusual counts as one, and the probability is the "
    "share of good images that are more usual.",
    "A source without defects has scratches, dents and stains drawn on a part of its images, for "
    "the test only: real defects may be harder or easier to see.",
)


def about(params: InspectionParams) -> About:
    """Describe the model for the report and the model card."""
    simulated = params.data.source == SIMULATOR
    baseline = "the same distribution of" if params.data.good_only else "a logistic regression on"
    return About(
        title="Visual inspection",
        question="Does this image show a defect?",
        use="The line puts aside parts with a probable defect, and a person looks at them.",
        misuse="It must not release safety-critical parts without another check.",
        data="Simulated photos of brushed metal parts, two of each; a quarter of the parts has a "
        "scratch, a dent or a stain."
        if simulated
        else f"Images read from {params.data.source}.",
        limits=(
            *(SIMULATOR_LIMITS if simulated else ()),
            *(GOOD_ONLY_LIMITS if params.data.good_only else ()),
            "The model knows the light and the camera of its training images only.",
        ),
        rows="images",
        periods="parts",
        baselines=f"The simple baseline is {baseline} fourteen statistics of the image. “No model” "
        "gives every image the share of defects.",
        terms={
            "scratch": "all good images, and those with a scratch",
            "dent": "all good images, and those with a dent",
            "stain": "all good images, and those with a stain",
            "without copies": "all images without a near-duplicate in training",
            "dark images": "the third of the images with the lowest mean grey level",
            "bright images": "the third of the images with the highest mean grey level",
        },
    )
