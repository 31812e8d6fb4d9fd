"""The benchmark lists the solar cells of elpv-dataset so that the use case reads them."""

from pathlib import Path

import numpy as np
import pytest
from conftest import TEMPLATE

from project_package.inspection.dataset import find_copies, load_data
from project_package.inspection.images import encode
from project_package.inspection.metrics import slices
from project_package.inspection.params import InspectionParams
from project_package.inspection.split import split


def test_sure_labels_are_read_and_types_are_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = tmp_path / "elpv_dataset" / "data" / "images"
    images.mkdir(parents=True)
    (images.parents[1] / "__init__.py").touch()
    random = np.random.default_rng(1)
    lines = []
    for number in range(600):
        name = f"cell{number:04}.png"
        probability = (0.0, 1 / 3, 2 / 3, 1.0)[number % 4]
        (images / name).write_bytes(encode(random.integers(0, 255, (40, 40), np.uint8)))
        lines.append(f"images/{name}  {probability}  {'mono' if number % 3 else 'poly'}\n")
    (images.parent / "labels.csv").write_text("".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(TEMPLATE / "benchmarks")
    from elpv import list_cells  # noqa: PLC0415

    list_cells(tmp_path / "cells.csv")
    data = {"source": str(tmp_path / "cells.csv"), "size": 32}
    params = InspectionParams.model_validate({"name": "cells", "data": data})
    load_data(params, tmp_path, lambda _: None)
    find_copies(params, tmp_path, lambda _: None)
    splits = split(params, tmp_path)
    labels = np.concatenate([splits.train["is_defective"], splits.test["is_defective"]])
    assert (len(labels), labels.sum()) == (300, 150)
    both = {name: np.concatenate([splits.test[name], splits.train[name]]) for name in splits.test}
    found = slices(both)
    assert found["mono"].sum() == 200
    assert not (found["mono"] & found["poly"]).any()
