"""Raw columns are added in three places; table, event store and request then have them.

The rules of their fields hold in the table, in a batch file and in a request.
"""

from pathlib import Path

import pytest
from edited import run_edited

EDITS = [
    (
        "schemas.py",
        "class PastPayment(",
        "    country: Identifier\n    km: float\n\n\nclass PastPayment(",
    ),
    (
        "simulator.py",
        'scenario="scenario",',
        'scenario="scenario", km=pl.col("second") % 9.0,'
        'country=pl.when(pl.col("second") % 3 == 0).then(pl.lit("BE")).otherwise(pl.lit("NL")),',
    ),
    (
        "features.py",
        '    _terminal("terminal_count_30d"',
        '    Derived("is_abroad", "paid abroad", lambda c: c != "NL", ("country",)),\n'
        '    _card("customer_abroad_7d", "payments abroad", "sum", 7, "is_abroad"),\n'
        '    _card("customer_km_7d", "mean distance", "mean", 7, "km"),\n'
        '    _terminal("terminal_count_30d"',
    ),
]
SCRIPT = """
from pathlib import Path

import numpy as np
import polars as pl

from project_package.columns import take
from project_package.fraud.dataset import (
    compute_features,
    load_data,
    recent_events,
)
from project_package.fraud.dataset import examples as examples_of
from project_package.fraud.params import FraudParams
from project_package.fraud.split import split
from project_package.fraud.task import HISTORY, history_features
from project_package.fraud.task import request_history, request_rows
from project_package.state.open_store import open_store

data = {"customers": 100, "terminals": 200, "days": 89, "seed": 5}
params = FraudParams.model_validate({"name": "x", "data": data})
load_data(params, Path(), lambda _: None)
compute_features(params, Path(), lambda _: None, map)
test = split(params, Path()).test
assert test["country"].dtype == object and test["customer_abroad_7d"].max() > 1

requests = examples_of(Path(), test, 6)
rows = request_rows(requests)
found = history_features(rows, list(map(request_history, requests)))
assert {"is_abroad", "customer_abroad_7d", "customer_km_7d"} <= set(found)
for number in range(len(requests)):
    same = np.all([test[name] == rows[name][number] for name in ("timestamp", "amount")], axis=0)
    assert all(values[number] == test[name][same] for name, values in found.items())

store = open_store("state.db", HISTORY)
events = recent_events(Path())
with store.transaction():
    assert all(store.add(events))
    stored = store.find_events(events)[-1].row["country"]
    histories = store.history(take(events, np.arange(-20, 0)))
assert stored == events["country"][-1]
last = history_features(take(events, np.arange(-20, 0)), histories)
table = pl.read_parquet("features.parquet").tail(20)
assert all(values.tolist() == table[name].to_list() for name, values in last.items())
"""


FIELDS_WITH_RULES = """    rating: float = Field(ge=1, le=2)
    channel: Literal["chip", "online"] | None = None
    country: str = Field(max_length=2, pattern="^[A-Z]+$")


class PastPayment("""
VALUES = (
    """scenario="scenario", rating=1.5, channel=pl.lit(None, pl.String), country=pl.lit("NL"),"""
)
EDITS_WITH_RULES = [
    ("schemas.py", "class PastPayment(", FIELDS_WITH_RULES),
    ("simulator.py", 'scenario="scenario",', VALUES),
]
SCRIPT_WITH_RULES = """
from pathlib import Path

import polars as pl
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from project_package.errors import UserError
from project_package.fraud.dataset import load_data, read_batch
from project_package.fraud.params import FraudParams
from project_package.fraud.schemas import FraudRequest
from project_package.serving.read_body import Bodies, read_body
from project_package.settings import Settings

BROKEN = [
    ("rating", 3.0, "must be a number from 1 to 2"),
    ("channel", "post", "must be one of chip, online"),
    ("country", "NLD", "must have 0 to 2 characters"),
    ("country", "nl", "must match the pattern ^[A-Z]+$"),
]
app = FastAPI()
app.state.bodies = Bodies(Settings(), 2)


@app.post("/")
async def post(request: Request) -> None:
    async with read_body(request, FraudRequest):
        pass


client = TestClient(app)
small = {"customers": 100, "terminals": 200, "days": 89, "seed": 5}
params = FraudParams.model_validate({"name": "x", "data": small})
Path("data").mkdir()
Path("own").mkdir()
load_data(params, Path("data"), lambda _: None)
payments = pl.read_parquet("data/rows.parquet")
own = params.data.model_copy(update={"source": "wrong.parquet"})
owned = params.model_copy(update={"data": own})
for column, value, rule in BROKEN:
    is_first = pl.int_range(pl.len()) < 4
    changed = pl.when(is_first).then(pl.lit(value)).otherwise(column).alias(column)
    payments.with_columns(changed).write_parquet("wrong.parquet")
    expected = f"- {column} {rule}: 4 rows break this rule"
    with pytest.raises(UserError) as refusal:
        load_data(owned, Path("own"), lambda _: None)
    lines = str(refusal.value).splitlines()
    assert lines[1] == expected, lines
    assert len(lines) == 5
    assert all(f"{column}={value!r}" in line for line in lines[2:])
    with pytest.raises(UserError) as refusal:
        read_batch(params, Path("wrong.parquet"), Path("data"))
    assert str(refusal.value).splitlines()[1] == expected

    ids = {"transaction_id": "P", "customer_id": "C", "terminal_id": "T"}
    payment = ids | {"timestamp": "2018-05-01T12:00:00Z", "amount": 1}
    payment |= {"rating": 1, "channel": "chip", "country": "NL"}
    assert client.post("/", json={"transaction": payment}).status_code == 200
    answer = client.post("/", json={"transaction": payment | {column: value}})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "transaction", column]
"""


@pytest.mark.system
def test_text_and_number_are_added_in_three_places(tmp_path: Path) -> None:
    run_edited(tmp_path, "fraud", EDITS, SCRIPT)


@pytest.mark.system
def test_rules_of_a_field_hold_everywhere(tmp_path: Path) -> None:
    run_edited(tmp_path, "fraud", EDITS_WITH_RULES, SCRIPT_WITH_RULES)
