"""predict: answer a file of raw rows with the champion."""

from collections.abc import Callable, Mapping
from pathlib import Path
from uuid import uuid4

import polars as pl

from ..contract import length
from ..errors import UserError
from ..onnx_model import Predictor
from ..model_store import CHAMPION
from .project import Project

WRITERS: Mapping[str, Callable[[pl.DataFrame, Path], None]] = {
    ".parquet": lambda table, path: table.write_parquet(path),
    ".csv": lambda table, path: table.write_csv(path),
}


def predict(project: Project, source: Path, target: Path) -> int:
    """Read raw rows from a Parquet or CSV file, write them with predictions; give their number.

    Raises:
        UserError: no champion, a file that cannot be read, or another ending than the two.
    """
    if target.suffix not in WRITERS:
        raise UserError(f"{target} must end in .parquet or .csv.")
    if not target.absolute().parent.is_dir():
        raise UserError(f"There is no folder {target.parent} to write {target.name} into.")
    version, bundle = project.store.load(CHAMPION)
    with project.console.step("predict") as progress:
        predictor = Predictor(bundle, project.use_case.api)
        rows = project.use_case.batch(project.params, source, project.workspace.dataset().path)
        progress(0.7)
        table = pl.DataFrame(dict(project.use_case.table(rows, predictor.predict(rows))))
        progress(0.9)
        beside = target.with_name(f".{target.name}-{uuid4().hex}")
        try:
            WRITERS[target.suffix](table, beside)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
    project.console.say(f"{length(rows):,} predictions of version {version}: {target}")
    return length(rows)
