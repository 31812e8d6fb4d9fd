"""Raw columns are added in three places; table, event store and request then have them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import project_package

SOURCE = Path(project_package.__file__).parent
EDITS = {
    "schemas.py": (
        "class PastPayment(",
        "    country: Identifier\n    km: float\n\n\nclass PastPayment(",
    ),
    "simulator.py": (
        'scenario="scenario",',
        'scenario="scenario", km=pl.col("second") % 9.0,'
        'country=pl.when(pl.col("second") % 3 == 0).then(pl.lit("BE")).otherwise(pl.lit("NL")),',
    ),
    "features.py": (
        '    _terminal("terminal_count_1d"',
        '    Derived("is_abroad", "paid abroad", lambda c: c != "NL", ("country",)),\n'
        '    _card("customer_abroad_7d", "payments abroad", "sum", 7, "is_abroad"),\n'
        '    _card("customer_km_7d", "mean distance", "mean", 7, "km"),\n'
        '    _terminal("terminal_count_1d"',
    ),
}
SCRIPT = """
from pathlib import Path

import numpy as np
import polars as pl

from project_package.contract import take
from project_package.fraud.load import FraudParams, load_data, recent_events, split
from project_package.fraud.load import examples as examples_of
from project_package.fraud.task import HISTORY, history_features
from project_package.fraud.task import request_history, request_rows

data = {"customers": 100, "terminals": 200, "days": 75, "seed": 5}
params = FraudParams.model_validate({"name": "x", "data": data})
load_data(params, Path(), lambda _: None)
test = split(params, Path()).test
assert test["country"].dtype == object and test["customer_abroad_7d"].max() > 1

requests = examples_of(Path(), test, 6)
rows = request_rows(requests)
found = history_features(rows, list(map(request_history, requests)))
assert {"is_abroad", "customer_abroad_7d", "customer_km_7d"} <= set(found)
for number in range(len(requests)):
    same = np.all([test[name] == rows[name][number] for name in ("timestamp", "amount")], axis=0)
    assert all(values[number] == test[name][same] for name, values in found.items())

store, events = HISTORY.open_store("state.db", HISTORY), recent_events(Path())
with store.transaction():
    assert all(store.add(events))
    stored = store.find(events)[-1].row["country"]
    histories = store.history(take(events, np.arange(-20, 0)))
assert stored == events["country"][-1]
last = history_features(take(events, np.arange(-20, 0)), histories)
table = pl.read_parquet("features.parquet").tail(20)
assert all(values.tolist() == table[name].to_list() for name, values in last.items())
"""


@pytest.mark.system
def test_text_and_number_are_added_in_three_places(tmp_path: Path) -> None:
    package = tmp_path / "project_package"
    shutil.copytree(SOURCE, package)
    for name, (old, new) in EDITS.items():
        path = package / "fraud" / name
        assert path.read_text().count(old) == 1
        path.write_text(path.read_text().replace(old, new))
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
