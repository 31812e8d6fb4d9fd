"""A feature is added by its declaration; the table, requests and models then have it."""

from pathlib import Path

import pytest
from edited import run_edited

EDITS = [
    (
        "features.py",
        "*PROMOTIONS, CALENDAR)",
        '*PROMOTIONS, CALENDAR, _past("most_sales", "sales", "mean", 2, "sales"))',
    ),
    ("features.py", '    "first_days",\n)', '    "first_days",\n    "most_sales",\n)'),
]
SCRIPT = """
from pathlib import Path

from demand.tables import data_set, params

from project_package.demand.dataset import examples
from project_package.demand.models import CANDIDATES
from project_package.demand.split import split
from project_package.demand.task import HISTORY

folder = data_set(Path())
splits = split(params(), folder)
rows = HISTORY.to_rows(examples(folder, splits.test, 6))
assert rows["most_sales"].max() > 0
assert {*rows["most_sales"].tolist()} <= {*splits.test["most_sales"].tolist()}
fitted = CANDIDATES[1].fit(splits.train, CANDIDATES[1].start, 7)
assert "most_sales" in fitted.details.features
assert len(fitted.predict(rows)["value"]) == 6
"""


@pytest.mark.system
def test_feature_is_added_by_its_declaration(tmp_path: Path) -> None:
    run_edited(tmp_path, "demand", EDITS, SCRIPT)
