"""labels: store what became known of logged predictions, from a file."""

from pathlib import Path

import polars as pl
import polars.selectors as cs
from pydantic import ValidationError

from ..errors import UserError
from ..lifecycle.project import Project, find_log

PREDICTION, OWN = "prediction_id", "id"


def store_labels(project: Project, file: Path) -> None:
    """Store the labels of a file in the prediction log; all, or none if a row is wrong.

    Args:
        project: `Task.label` of its champion names the columns.
        file: .csv or .parquet, with the id of predictions or instances, and the fields of a label.

    Raises:
        UserError: the use case has no such labels, or the file cannot be read or breaks a rule.
    """
    task = project.champion_task()
    if task.label is None:
        raise UserError("No label is joined by an id here: what becomes known comes as events.")
    table = read_table(file)
    allowed = (PREDICTION, OWN) if task.id else (PREDICTION,)
    names = [name for name in allowed if name in table.columns]
    if len(names) != 1 or table.is_empty():
        has = ", ".join(table.columns)
        raise UserError(
            f"{file} must have rows, and the column {' or '.join(allowed)}; it has {has}."
        )
    labels = []
    for number, row in enumerate(table.to_dicts(), 1):
        key = row.pop(names[0]) or ""
        try:
            text = task.label.model_validate(row).model_dump_json(by_alias=True)
        except ValidationError as error:
            found = error.errors()[0]
            where = ".".join(map(str, found["loc"]))
            raise UserError(f"{file}, row {number}: {where}: {found['msg']}.") from None
        if not key:
            raise UserError(f"{file}, row {number}: {names[0]} is missing.")
        labels.append((key, "", text) if names[0] == PREDICTION else ("", key, text))
    find_log(project).insert_labels(labels)
    project.console.print(f"Stored {len(labels):,} labels.")


def read_table(file: Path) -> pl.DataFrame:
    """Read a file with all values as texts, lists apart; raise UserError if it cannot be read."""
    try:
        if file.suffix == ".parquet":
            return pl.read_parquet(file).cast({cs.numeric() | cs.boolean(): pl.String})
        return pl.read_csv(file, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).partition("\n")[0]
        raise UserError(f"{file} cannot be read: {reason}") from error
