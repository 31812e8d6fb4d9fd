"""The parameters of the recommendations: purchases, the split, and the network."""

from pydantic import Field

from ..data.completejourney import Data
from ..frozen import Frozen
from ..params import Params


class SessionsData(Data):
    """Where purchases come from, and which items count."""

    households: int = Field(
        default=2_500, ge=30, description="of the published purchases: those with an id up to this"
    )
    min_households: int = Field(
        default=20, ge=1, description="that bought an item; rarer ones are unknown"
    )


class Split(Frozen):
    """How many weeks test, and how many validate."""

    test_weeks: int = Field(default=6, ge=2, description="the newest whole weeks, for the test")
    folds: int = Field(default=1, ge=1, description="forecast origins before the test")
    fold_weeks: int = Field(default=3, ge=1, description="of baskets to predict from each origin")


class Network(Frozen):
    """How the network is trained."""

    epochs: int = Field(default=3, ge=1)
    held_out: float = Field(
        default=0, ge=0, le=0.5, description="share of the households that score each epoch"
    )
    batch: int = Field(default=32, ge=1, description="rows that are computed at once")
    batches_per_step: int = Field(
        default=1, ge=1, description="batches whose mean gradient a step follows: see docs/task.md"
    )
    device: str = Field(default="auto", pattern="^(auto|cpu|cuda|mps)$", description="of PyTorch")


class SessionsParams(Params):
    """All parameters."""

    data: SessionsData = SessionsData()
    split: Split = Split()
    network: Network = Network()
