"""Read the solar cells of the package elpv-dataset: 300 x 300 pixels, by electroluminescence.

The licence CC BY-NC-SA 4.0 allows no commercial use. Deitsch et al., Automatic classification of
defective photovoltaic module cells in electroluminescence images, 2019.
"""

from importlib.resources import files
from pathlib import Path

import polars as pl

from ..errors import UserError

ELPV = "elpv"
MISSING = (
    "data.source is elpv, and the package elpv-dataset is missing: `uv add --group train "
    "elpv-dataset` installs it. Its licence, CC BY-NC-SA 4.0, allows no commercial use."
)
KINDS = {"0.0": "good", "1.0": "defect"}
"""Kinds by the probability of a defect; cells that experts were not sure of are left out."""


def read_elpv() -> pl.DataFrame:
    """Return path, kind, part and type (mono or poly) of each cell; a part is a cell.

    Raises:
        UserError: the package is not installed.
    """
    try:
        folder = Path(str(files("elpv_dataset"))) / "data"
    except ModuleNotFoundError:
        raise UserError(MISSING) from None
    lines = (folder / "labels.csv").read_text(encoding="utf-8").splitlines()
    cells = [
        {"path": str(folder / path), "kind": KINDS[probability], "part": path, "type": cell}
        for path, probability, cell in map(str.split, lines)
        if probability in KINDS
    ]
    return pl.DataFrame(cells)
