"""The parameters of the segments project: where baskets come from, and the split."""

from pydantic import Field

from ..data.completejourney import Data
from ..frozen import Frozen
from ..params import Params


class Split(Frozen):
    """How many households test, and how many validate."""

    test_share: float = Field(default=0.3, gt=0, lt=0.7, description="of households, for the test")
    test_parts: int = Field(default=3, ge=1, description="of the test, for the spread of scores")
    folds: int = Field(default=3, ge=2, description="of the other households, for the search")


class SegmentsParams(Params):
    """All parameters."""

    data: Data = Data()
    split: Split = Split()
