"""List the solar cells of the package elpv-dataset: 300 x 300 pixels, by electroluminescence.

    python benchmarks/elpv.py cells.csv  # a file for `data.source` of the use case inspection

The licence CC BY-NC-SA 4.0 allows no commercial use. Deitsch et al., Automatic classification of
defective photovoltaic module cells in electroluminescence images, 2019.
"""

import csv
import sys
from importlib.resources import files
from pathlib import Path

KINDS = {"0.0": "good", "1.0": "defect"}
"""Kinds by the probability of a defect; cells that experts were not sure of are left out."""


def list_cells(path: Path) -> None:
    """Write path, kind, part and type (mono or poly) of each cell to a CSV file.

    The modules of the cells are not published, so each cell is a part of its own.
    """
    folder = Path(str(files("elpv_dataset"))) / "data"
    lines = (folder / "labels.csv").read_text(encoding="utf-8").splitlines()
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "kind", "part", "type"])
        for image, probability, cell in map(str.split, lines):
            if probability in KINDS:
                table.writerow([folder / image, KINDS[probability], image, cell])


if __name__ == "__main__":
    list_cells(Path(sys.argv[1]))
