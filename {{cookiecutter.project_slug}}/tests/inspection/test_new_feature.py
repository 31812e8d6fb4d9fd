"""A statistic of images is added by its declaration; the model in a bundle then reads it."""

from pathlib import Path

import numpy as np
import pytest
from edited import run_edited

from project_package.inspection.features import QUANTILES, statistics

EDITS = [("features.py", "QUANTILES = (", "QUANTILES = (0.5, ")]
SCRIPT = """
import numpy as np

from project_package.inspection.features import statistics
from project_package.inspection.feature_models import BASELINE
from project_package.inspection.simulator import Simulated, simulate
from project_package.inspection.task import model_of

rows = simulate(Simulated(parts=100, size=32, strength=80, seed=2))
fitted = BASELINE.fit(rows, BASELINE.start, 7)
loaded = model_of(fitted.files()["model.onnx"], fitted.details)
assert statistics(rows["image"]).shape[1] == 15
answers = [model.predict(rows)["probability"] for model in (fitted, loaded)]
np.testing.assert_allclose(*answers, atol=1e-4)
"""


@pytest.mark.system
def test_statistic_is_added_by_its_declaration(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32)).astype(np.uint8)
    assert statistics(images).shape == (2, 10 + len(QUANTILES))
    run_edited(tmp_path, "inspection", EDITS, SCRIPT)
