"""The parameters of the fraud project: where payments come from, the split, and costs."""

from pydantic import Field

from ..data.import_rows import SourceParams
from ..frozen import Frozen
from ..params import Params
from ..xgboost_on_workers import XGBoost

SIMULATOR = "simulator"


class Data(SourceParams):
    """Where payments come from, and how many are simulated when there is no source."""

    source: str = Field(default=SIMULATOR, description="simulator, sql, or a path or glob")
    max_blank: float = Field(default=0.3, ge=0, lt=1, description="share of old labels missing")
    customers: int = Field(default=5_000, ge=100, description="simulated cards")
    terminals: int = Field(default=10_000, ge=200, description="simulated terminals")
    days: int = Field(default=183, ge=1, description="simulated days")
    seed: int = Field(default=7, ge=0, description="of the simulator")


class Split(Frozen):
    """Days of training and weeks of test, the newest last; labels arrive a week late."""

    train_days: int = Field(default=21, ge=7, description="days of rows to fit on")
    folds: int = Field(default=2, ge=1, description="weeks to choose settings on, before the test")
    test_weeks: int = Field(default=4, ge=2, description="weeks to test on")


class Decide(Frozen):
    """What a decision costs."""

    review_cost: float = Field(default=10.0, gt=0, description="of reviewing a flagged payment")


class FraudParams(Params):
    """All parameters."""

    data: Data = Data()
    split: Split = Split()
    decide: Decide = Decide()
    xgboost: XGBoost = XGBoost()
