"""A feature is added by its declaration; the table, requests and models then have it."""

from pathlib import Path

import pytest
from edited import run_edited

EDITS = [
    (
        "features.py",
        '    *_share("store_brand"',
        '    _past("largest", "mean of sales", "mean", "sales"),\n    *_share("store_brand"',
    ),
    (
        "features.py",
        '"spending", "basket_size")\nROOTS',
        '"spending", "basket_size", "largest")\nROOTS',
    ),
]
SCRIPT = """
from pathlib import Path

from segments.tables import data_set, params

from project_package.segments.dataset import examples
from project_package.segments.models import CANDIDATES
from project_package.segments.split import split
from project_package.segments.task import HISTORY

folder = data_set(Path())
splits = split(params(), folder)
rows = HISTORY.to_rows(examples(folder, splits.test, 6))
assert rows["largest"].min() > 0
assert {*rows["largest"].tolist()} <= {*splits.test["largest"].tolist()}
fitted = CANDIDATES[1].fit(splits.train, CANDIDATES[1].start, 7)
assert "largest" in fitted.features
assert len(fitted.predict(rows)["segment"]) == 6
"""


@pytest.mark.system
def test_feature_is_added_by_its_declaration(tmp_path: Path) -> None:
    run_edited(tmp_path, "segments", EDITS, SCRIPT)
