"""The parameters of the demand project: where weekly rows come from, and the split."""

from pydantic import Field

from ..data.completejourney import Data
from ..frozen import Frozen
from ..params import Params


class DemandData(Data):
    """Where the weekly rows come from."""

    products: int = Field(default=600, ge=20, description="best-sold products of the purchases")


class Split(Frozen):
    """How many weeks test, and how many validate."""

    test_weeks: int = Field(default=8, ge=5, description="the newest, for the test")
    folds: int = Field(default=3, ge=1, description="forecast origins before the test")
    fold_weeks: int = Field(default=4, ge=1, description="to forecast from each origin")


class DemandParams(Params):
    """All parameters."""

    data: DemandData = DemandData()
    split: Split = Split()
