"""The parameters of the fraud project: the sections of params.toml beside the shared ones."""

from pydantic import Field

from ..contract import Frozen, Params


class Data(Frozen):
    """Where payments come from, and how many are simulated when there is no source."""

    source: str = Field(default="simulator", description="simulator, sql, or a path or glob")
    query: str = Field(default="", description="for sql: the query; DATA_URL has the address")
    columns: dict[str, str] = Field(
        default_factory=dict, description="our column name = own column name"
    )
    customers: int = Field(default=5_000, ge=100, description="simulated cards")
    terminals: int = Field(default=10_000, ge=200, description="simulated terminals")
    days: int = Field(default=183, ge=1, description="simulated days")
    seed: int = Field(default=7, ge=0, description="of the simulator")
    memory_limit_mib: int = Field(default=1024, ge=512, description="of reading and feature step")


class Split(Frozen):
    """Days of training and weeks of test, the newest last; labels arrive a week late."""

    train_days: int = Field(default=7, ge=7, description="days of rows to fit on")
    folds: int = Field(default=2, ge=1, description="weeks to choose settings on, before the test")
    test_weeks: int = Field(default=4, ge=2, description="weeks to judge on")


class Decide(Frozen):
    """What a decision costs."""

    review_cost: float = Field(default=10.0, gt=0, description="of looking at a flagged payment")


class FraudParams(Params):
    """All parameters."""

    data: Data = Data()
    split: Split = Split()
    decide: Decide = Decide()
