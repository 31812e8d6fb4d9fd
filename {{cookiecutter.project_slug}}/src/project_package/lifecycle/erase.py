"""erase: delete what is stored of an entity, such as a person, and leave it out from then on.

The file `erased.txt` has a line for each erased entity: the hash of its id, as in the prediction
log, and its kind, which is the column with the id. The first line identifies the key of the hashes.
"""

from pathlib import Path

import polars as pl

from ..errors import UserError, require_known
from ..prediction_log import keyed_hash, open_log, read_key
from .project import Project
from .workspace import replace_text

LIST = "erased.txt"


def erase(project: Project, entity: str, kind: str = "") -> None:
    """Delete events and logged predictions of an entity id of a kind, by default `Task.entity`.

    The entity is listed first, so that an interrupted erase can be repeated and nothing comes back.

    Raises:
        UserError: a wrong kind, no champion, or a file or service that cannot be used.
    """
    if not entity:
        raise UserError("The id is empty: name the entity whose data is to be deleted.")
    task = project.champion_task()  # without a champion nothing was served, so nothing is stored
    if not task.entities:
        raise UserError("No column has ids of an entity, such as a customer: nothing to erase.")
    kind = kind or task.entity
    require_known("--entity", [kind], "a kind of entity", task.entities)
    log = open_log(project.settings, project.workspace.root)
    with project.workspace.lock():
        key, lines = _read_list(project)
        each_once = dict.fromkeys([*lines, _line(key, kind, entity)])
        replace_text(project.workspace.root / LIST, "\n".join(each_once) + "\n")
    deleted = []
    if project.events:
        deleted.append(f"{project.events.erase_events(project, kind, entity):,} events")
    if log and kind == task.entity:
        deleted.append(f"{log.erase(entity):,} logged predictions")
    for name, delete in project.training.erase.items() if kind == task.entity else ():
        deleted.append(f"{delete(entity):,} {name}")
    note = f" The prediction log stores ids of {task.entity} only." if kind != task.entity else ""
    project.console.print(
        f"Deleted {' and '.join(deleted) or 'nothing'} of {kind} {entity}.{note} "
        f"{LIST} lists it: new data sets leave it out, older ones still have it."
    )


def leave_out_erased(project: Project, folder: Path) -> None:
    """Remove the rows of erased entities from the Parquet files of a folder; print how many."""
    for path in folder.glob("*.parquet"):
        rows = pl.scan_parquet(path)
        erased = is_erased(project, rows)
        if count := rows.filter(erased).select(pl.len()).collect(engine="streaming").item():
            rest = path.with_suffix(".rest")
            rows.filter(~erased).sink_parquet(rest)
            rest.replace(path)
            project.console.print(f"Left out {count:,} rows of erased entities.")


def is_erased(project: Project, rows: pl.LazyFrame) -> pl.Expr:
    """Return the condition that finds the rows of erased entities; each id is hashed once."""
    condition = pl.lit(value=False)
    if not (project.workspace.root / LIST).exists():
        return condition  # without a list, no key is needed
    key, lines = _read_list(project)
    listed = {*lines[1:]}
    for kind in {line.partition(" ")[2] for line in listed} & {*rows.collect_schema()}:
        column = pl.col(kind).cast(pl.String).fill_null("")
        ids = rows.select(column.unique()).collect(engine="streaming").to_series()
        condition |= column.is_in([name for name in ids if _line(key, kind, name) in listed])
    return condition


def _read_list(project: Project) -> tuple[bytes, list[str]]:
    """Return the key of the hashes and the lines of the list; raise UserError for another key."""
    key = read_key(project.settings, project.workspace.root)
    path = project.workspace.root / LIST
    first = _line(key, "key", LIST)
    lines = path.read_text("utf-8").splitlines() if path.exists() else [first]
    if lines[:1] != [first]:
        raise UserError(
            f"{path} was written with another key: restore LOG_KEY, or the .key file beside the "
            "prediction log of that time."
        )
    return key, lines


def _line(key: bytes, kind: str, entity: str) -> str:
    return f"{keyed_hash(entity, key)} {kind}"
