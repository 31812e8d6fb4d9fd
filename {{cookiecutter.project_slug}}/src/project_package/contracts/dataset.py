"""Load clauses, and read documents for batches and examples.

A data set is one file:
rows.parquet   document, owner, clause (its number in the document), page, heading, text and type
"""

import logging
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs

from ..columns import Columns
from ..contract.training import Progress
from ..errors import UserError
from .documents import SUFFIXES
from .duplicates import near_duplicates
from .licences import read_licences
from .params import LICENCES, ContractsParams
from .schemas import LONGEST, LONGEST_HEADING, ContractsRequest
from .sources import one_line, read_folder, read_labelled, read_table

ROWS = "rows.parquet"
log = logging.getLogger(__name__)


def load_data(params: ContractsParams, folder: Path, progress: Progress) -> None:
    """Write the clauses into a new folder: of near-duplicates, the first.

    Raises:
        UserError: the source cannot be read, or has fewer than two types.
    """
    data = params.data
    if data.source == LICENCES:
        table = read_licences()
    else:
        table = read_labelled(Path(data.source), data.labels)
    progress(0.5)
    words = pl.col("text").str.split(" ").list.len()
    known = table.filter(words.is_between(data.least_words, data.most_words))
    if known["type"].n_unique() < 2:
        raise UserError(
            f"{data.source} has {known['type'].n_unique()} types of clauses with "
            f"{data.least_words} to {data.most_words} words: two are needed."
        )
    groups = pl.Series("group", near_duplicates(known["text"].to_list(), data.similarity))
    unique = known.with_columns(groups).unique("group", keep="first", maintain_order=True)
    message = "%d clauses: %d are too short or too long, and %d nearly repeat others"
    log.info(message, len(unique), len(table) - len(known), len(known) - len(unique))
    unique.drop("group").write_parquet(folder / ROWS)


def read_rows(folder: Path) -> Columns:
    """Return the clauses of a data set."""
    table = pl.read_parquet(folder / ROWS)
    return {column.name: column.to_numpy() for column in table}


def read_batch(_params: ContractsParams, source: Path, _folder: Path) -> Columns:
    """Read clauses to predict: of a document, of those in a folder, or of a table with `text`."""
    if source.is_dir() or source.suffix.lower() in SUFFIXES:
        table = read_folder(source)
    else:
        table = one_line(read_table(source), source)
        row = pl.int_range(1, pl.len() + 1)
        columns = {"document": pl.lit(source.name), "clause": row, "page": pl.lit(0)}
        missing = {name: new for name, new in columns.items() if name not in table.columns}
        used = cs.by_name(*columns, "heading", "text", require_all=False)
        table = table.with_columns(**missing).select(used)
    return {column.name: column.to_numpy() for column in table}


def examples(_folder: Path, rows: Columns, count: int) -> list[ContractsRequest]:
    """Build requests from test clauses of different types, without the names of documents."""
    _, first = np.unique(rows["type"].astype(str), return_index=True)
    return [
        ContractsRequest(
            text=rows["text"][row][:LONGEST],
            heading=rows["heading"][row][:LONGEST_HEADING],
            page=rows["page"][row],
        )
        for row in first[:count]
    ]
