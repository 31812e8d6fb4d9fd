"""predict: predict a file of raw rows with the champion."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from ..columns import EXPLAIN, Columns, length
from ..contract.task import Model
from ..contract.training import Training
from ..errors import UserError
from ..model_store import CHAMPION
from .project import Project


def predict(project: Project, source: Path, target: Path, *, explain: bool = False) -> int:
    """Write the raw rows of a file with predictions; return how many, or raise UserError.

    `explain` adds reasons, which take one more prediction of a row for each feature.
    """
    if target.suffix not in (".parquet", ".csv"):
        raise UserError(f"{target} must end in .parquet or .csv.")
    if not target.absolute().parent.is_dir():
        raise UserError(f"There is no folder {target.parent} to write {target.name} into.")
    if source.resolve() == target.resolve():
        raise UserError(f"{target} has the rows to predict: name another file for the answers.")
    training = project.training
    require_reasons(training, explain)
    version, bundle, _ = project.store.load(CHAMPION)
    with project.console.step("predict") as progress:
        history = project.workspace.dataset().path
        model = project.load(bundle)
        rows = training.read_batch(project.params, source, history)
        table = answers(training, model, rows, explain=explain)
        progress(0.9)
        with TemporaryDirectory(prefix=".predict-", dir=target.absolute().parent) as folder:
            complete = Path(folder) / target.name
            write = table.write_csv if target.suffix == ".csv" else table.write_parquet
            write(complete)
            complete.replace(target)
    project.console.print(f"{target} has {len(table):,} predictions of version {version}.")
    return len(table)


def require_reasons(training: Training, explain: bool) -> None:
    """Raise UserError if reasons are wanted, and a file has none."""
    if explain and not training.file_reasons:
        raise UserError("This use case writes no reasons into files: leave out --explain.")


def answers(training: Training, model: Model, rows: Columns, *, explain: bool) -> pl.DataFrame:
    """Predict rows; return the table of the answers."""
    if explain:
        rows = {**rows, EXPLAIN: np.ones(length(rows), np.bool_)}
    return pl.DataFrame(dict(training.batch_table(rows, model.predict(rows))))
