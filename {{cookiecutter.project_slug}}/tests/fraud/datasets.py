"""Data sets of simulated payments, and later payments, for the tests of the use case."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from project_package.fraud.dataset import (
    compute_features,
    load_data,
)
from project_package.fraud.params import FraudParams
from project_package.fraud.schemas import Payment

DAYS = 89
SIMULATED = {"customers": 150, "terminals": 300, "days": DAYS, "seed": 5}
RAW = list(Payment.model_fields)


def params(**data: Any) -> FraudParams:
    return FraudParams.model_validate({"name": "tiny", "data": {**SIMULATED, **data}})


def loaded(folder: Path, **data: Any) -> Path:
    folder.mkdir(exist_ok=True)
    load_data(params(**data), folder, lambda _: None)
    compute_features(params(**data), folder, lambda _: None, map)
    return folder


def payments_after(folder: Path, days: list[int], **changes: Any) -> pl.DataFrame:
    """Make new payments that many days after the last ones of the data set."""
    new = pl.read_parquet(folder / "rows.parquet").tail(len(days)).select(RAW)
    return new.with_columns(
        transaction_id="N" + pl.col("transaction_id"),
        timestamp=pl.col("timestamp") + pl.Series([timedelta(days=n) for n in days]),
    ).with_columns(**changes)
