"""What `ml data` and `ml train` need at the default size and at ten times: writes ten_times.md."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import report
from commands import latest, run
from cookiecutter.main import cookiecutter

TEMPLATE = str(Path(__file__).parents[1])
LIBRARIES = ("polars", "duckdb", "scikit-learn", "xgboost-cpu", "torch", "tensorflow-cpu")
TIMES = 10
OWN = "own"
METHOD = f"""\
The default data of a use case, and {TIMES} times as many products, households or parts: the same
rows with other ids, and for `inspection` other photos. `ml train` has one trial for each candidate,
one after the other (`PROCESSES=1`). Seconds are processor time, and memory is the largest resident
memory of the process, with its libraries. For `tabular`, see
[a million rows](tabular_quality.md#a-million-rows); for `fraud`, [scale.md](scale.md)."""


@dataclass(frozen=True)
class Case:
    """How a use case gets ten times the data."""

    use_case: str
    unit: str
    ids: tuple[str, ...] = ()
    """Columns whose values differ between copies of the rows."""
    changes: tuple[str, ...] = ()
    """Parameters."""


OWN_ROWS = f"data.source={OWN}/*.parquet"
PRODUCTS = f"data.products={600 * TIMES}"
CASES = (
    Case("demand", "weeks of products", ("product_id",), (OWN_ROWS, PRODUCTS)),
    Case("segments", "baskets", ("household_id", "basket_id"), (OWN_ROWS,)),
    Case("sessions", "purchases", ("household_id",), (OWN_ROWS,)),
    Case("inspection", "photos", changes=(f"data.parts={1500 * TIMES}",)),
)


def copy_rows(project: Path, ids: tuple[str, ...]) -> None:
    """Write the rows of the data set as many times, with other ids in each file."""
    (project / OWN).mkdir()
    rows = pl.read_parquet(latest(project))
    for number in range(TIMES):
        other = [pl.col(name) + f"-{number}" for name in ids]
        rows.with_columns(other).write_parquet(project / OWN / f"{number}.parquet")


def measure(case: Case, project: Path) -> Iterator[list[str]]:
    """Yield the commands with what they need, at the default size and at ten times."""
    for changes in ((), case.changes):
        if changes and case.ids:
            copy_rows(project, case.ids)
        words = [word for change in changes for word in ("--set", change)]
        used = [
            run(project, case.use_case, *arguments, *words)
            for arguments in (("data",), ("train", "--set", "train.trials=1"))
        ]
        count = pl.scan_parquet(latest(project)).select(pl.len()).collect().item()
        cells = [text for s, mebibytes in used for text in (f"{s:,.0f}", f"{mebibytes:,.0f}")]
        yield [f"{case.use_case}: {count:,} {case.unit}", *cells]


def main() -> None:
    """Measure every use case and write the report."""
    os.environ["PROCESSES"] = "1"
    lines: list[list[str]] = []
    for case in CASES:
        with TemporaryDirectory() as folder:
            answers = {"use_case": case.use_case, "project_name": "Limits"}
            project = Path(cookiecutter(TEMPLATE, None, True, answers, output_dir=folder))
            lines += measure(case, project)
    header = ["data", *(f"`ml {name}`: {u}" for name in ("data", "train") for u in ("s", "MiB"))]
    parts = [
        "# Time and memory of ten times the data",
        report.measured_on(LIBRARIES, "make bench"),
        METHOD,
        report.table(header, lines),
    ]
    report.write(Path(__file__).with_suffix(".md"), parts)


if __name__ == "__main__":
    main()
