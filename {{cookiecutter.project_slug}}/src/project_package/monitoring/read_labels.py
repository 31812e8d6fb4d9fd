"""labels: store what became known of logged predictions, from a file."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ValidationError

from ..errors import UserError
from ..lifecycle.project import Project
from ..prediction_log import LABELS
from .monitor import find_log

NAMES = ("prediction_id", "id")


def store_labels(project: Project, file: Path) -> None:
    """Store the labels of a file in the prediction log; all, or none if a row is wrong.

    Args:
        project: it has a champion, whose `Task.label` names the columns.
        file: .csv or .parquet with the column prediction_id, or id for that of the instance, and
            the columns of a label.

    Raises:
        UserError: the use case has no such labels, or the file cannot be read or breaks a rule.
    """
    label = project.champion_task().label
    if label is None:
        raise UserError("Labels come with events here: send them to the server.")
    table = read_table(file)
    names = [name for name in NAMES if name in table.columns]
    if len(names) != 1:
        raise UserError(f"{file} must have one of the columns prediction_id and id.")
    with project.console.step("labels"):
        log = find_log(project)
        now = datetime.now(UTC)
        rows = []
        for number, row in enumerate(table.to_dicts(), 1):
            own = row.pop(names[0])
            if own in (None, ""):
                raise UserError(f"{file}, row {number}: {names[0]} is missing.")
            ids = {"prediction": own, "event": ""}
            if names[0] == "id":
                ids = {"prediction": "", "event": log.hash(own)}
            text = read_label(label, row, f"{file}, row {number}").model_dump_json(by_alias=True)
            rows.append({"time": now, "label": text, **ids})
        log.insert([(LABELS, rows)])
    project.console.print(f"Stored {len(rows):,} labels.")


def read_table(file: Path) -> pl.DataFrame:
    """Read a file; all values of a CSV file are texts. Raise UserError if it cannot be read."""
    try:
        if file.suffix == ".parquet":
            return pl.read_parquet(file)
        return pl.read_csv(file, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{file} cannot be read: {error}") from error


def read_label(kind: type[BaseModel], row: dict[str, Any], place: str) -> BaseModel:
    """Validate a label; raise UserError, with the place, if it breaks a rule."""
    is_text = all(isinstance(value, str) for value in row.values())
    try:
        return kind.model_validate_strings(row) if is_text else kind.model_validate(row)
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(map(str, found["loc"]))
        raise UserError(f"{place}: {where}: {found['msg']}.") from None
