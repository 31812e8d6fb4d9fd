"""A type of clause is added by its declaration; the model in a bundle then answers it."""

from pathlib import Path

import pytest
from edited import run_edited

from project_package.contracts.clause_types import TYPES, type_of

EDITS = [
    (
        "clause_types.py",
        "TYPES = {",
        'TYPES = {\n    "privacy": ClauseType(r"privacy|personal data", "what happens to data"),',
    )
]
SCRIPT = """
from pathlib import Path

import numpy as np

from project_package.contracts.clause_types import type_of
from project_package.contracts.licences import read_licences
from project_package.contracts.models import candidates
from project_package.contracts.params import ContractsParams
from project_package.contracts.task import model_of

assert type_of("Privacy Policy") == "privacy"
table = read_licences()
kept = table.filter(table["type"].is_in(["privacy", "trademark"]))
assert kept["type"].n_unique() == 2
rows = {column.name: column.to_numpy() for column in kept}
simple = candidates(ContractsParams(name="tiny"), Path())[0]
fitted = simple.fit(rows, simple.start, 7)
loaded = model_of(fitted.files())
assert "privacy" in loaded.details.types
answers = [model.predict(rows)["probabilities"] for model in (fitted, loaded)]
np.testing.assert_allclose(*answers, atol=1e-4)
"""


@pytest.mark.system
def test_type_is_added_by_its_declaration(tmp_path: Path) -> None:
    assert type_of("Privacy Policy") is None
    assert "privacy" not in TYPES
    run_edited(tmp_path, "contracts", EDITS, SCRIPT)
