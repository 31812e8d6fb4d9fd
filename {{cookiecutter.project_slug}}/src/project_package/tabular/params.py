"""The parameters of a table: source and target, the split, costs, and texts."""

from pydantic import Field

from ..data.completejourney import PURCHASES, Data
from ..frozen import Frozen
from ..params import Params, Promote
from ..xgboost_on_workers import XGBoost


class TabularData(Data):
    """Where the table comes from, and what to predict."""

    target: str = Field(default="lapsed", description="the column to predict")
    positive: str = Field(default="", description="of a target with two classes, the one to find")
    max_blank: float = Field(
        default=0.3, ge=0, lt=1, description="share of rows without the target that are left out"
    )


class Split(Frozen):
    """How the rows are split: by time or group where the schema has such a column."""

    test_share: float = Field(default=0.2, gt=0, le=0.5, description="of the rows, for the test")
    folds: int = Field(default=3, ge=1, le=10, description="of the other rows, for the search")
    gap_days: float = Field(default=0, ge=0, description="until the target of a row is known")


class Decide(Frozen):
    """What decisions cost, and how wide intervals are."""

    false_positive: float = Field(default=1.0, gt=0, description="cost of a wrong positive")
    false_negative: float = Field(default=1.0, gt=0, description="cost of a missed positive")
    coverage: float = Field(default=0.8, gt=0, lt=1, description="share of values in the interval")

    @property
    def tail(self) -> float:
        """The share of values below the interval, and of those above it."""
        return (1 - self.coverage) / 2


class AboutParams(Frozen):
    """What the report and the model card say."""

    question: str = ""
    use: str = ""
    misuse: str = ""
    limits: tuple[str, ...] = ()


class TabularParams(Params):
    """All parameters."""

    metric: str = Field(default="", description="that decides; empty for the task's default")
    data: TabularData = TabularData(source=PURCHASES)
    split: Split = Split()
    decide: Decide = Decide()
    about: AboutParams = AboutParams()
    xgboost: XGBoost = XGBoost()
    promote: Promote = Promote(min_parity_rows=100)
