"""The parameters of the inspection: images, the split, the network, and costs."""

from typing import Literal, Self

from pydantic import Field, model_validator

from ..frozen import Frozen
from ..params import Params, Promote
from .simulator import Simulated
from .usable import Usable

SIMULATOR = "simulator"


class Data(Simulated):
    """Where images come from, what of them is learned, and how many are simulated."""

    source: str = Field(
        default=SIMULATOR,
        description="simulator, a folder with a folder per class, or a CSV or Parquet file",
    )
    good_only: bool = Field(default=False, description="learn from good images alone")

    def images(self, photos: int) -> int:
        """Return how many images a data set has at most, with those of drawn defects."""
        return photos + (self.drawn(photos) if self.good_only else 0)


class Split(Frozen):
    """How images are split; those of a part stay together."""

    test_share: float = Field(
        default=0.25,
        gt=0,
        le=0.5,
        description="of the parts, for the test: 1/2, 1/3, 1/4 and so on",
    )
    folds: int = Field(default=1, ge=1, le=5, description="of the others, for the search")


class Network(Frozen):
    """How the convolutional network is trained, and the network whose features are tried too."""

    epochs: int = Field(default=36, ge=1)
    held_out: float = Field(
        default=0, ge=0, le=0.5, description="share of the parts that score each epoch"
    )
    batch: int = Field(default=32, ge=1, description="images of a step")
    backbone: Literal["", "efficientnet_lite0"] = Field(
        default="", description="a network trained on photos; none by default"
    )


class Decide(Frozen):
    """What decisions cost; where training has no defect to weigh, how many alarms are allowed."""

    false_alarm: float = Field(default=1, gt=0, description="cost of a good part that is rejected")
    missed: float = Field(default=5, gt=0, description="cost of a defect that is not found")
    rejected: float = Field(
        default=0.01, gt=0, lt=1, description="share of good parts, with data.good_only"
    )


class InspectionParams(Params):
    """All parameters."""

    data: Data = Data()
    usable: Usable = Usable()
    split: Split = Split()
    network: Network = Network()
    decide: Decide = Decide()
    promote: Promote = Promote(min_parity_rows=100, max_difference=1e-4)

    @model_validator(mode="after")
    def _check_side(self) -> Self:
        if self.usable.side > self.data.size:  # examples are scaled images
            raise ValueError(f"usable.side must be at most data.size, {self.data.size}")
        return self
