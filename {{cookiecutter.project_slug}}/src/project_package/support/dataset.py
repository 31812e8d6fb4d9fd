"""Load documents and questions.

A data set is two files:
documents.parquet   document, title, page, link, language, topic, text, and questions it answers
questions.parquet   question, language, topic, kind, and the documents that answer it
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import astuple, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray
from pydantic import ValidationError

from ..columns import Columns, take
from ..contract.training import Progress
from ..errors import UserError, require_known, suggest
from .documents import SUFFIXES, read_documents
from .index import Passage
from .params import FAQ, SupportParams
from .schemas import LONGEST, SupportRequest

DOCUMENTS = "documents.parquet"
QUESTIONS = "questions.parquet"
ASKED = "questions.csv"
EXPANSIONS = "expansions.csv"
SEPARATOR = ";"  # between documents in a cell of a table
KINDS = ("answerable", "near", "far")
SCHEMA: Mapping[str, Any] = {
    "document": pl.String,
    "title": pl.String,
    "page": pl.Int64,
    "link": pl.String,
    "language": pl.String,
    "topic": pl.String,
    "text": pl.String,
    "questions": pl.List(pl.String),
}
log = logging.getLogger(__name__)


def load_data(params: SupportParams, folder: Path, progress: Progress) -> None:
    """Write documents and questions into a new folder.

    Raises:
        UserError: they cannot be read, two sources have one document, or a table names none.
    """
    sections: list[Passage] = []
    for source in params.data.sources:
        found = read_documents(params.data, source)
        if not found and not (Path(source) / ASKED).exists():
            kinds = ", ".join(SUFFIXES)
            raise UserError(f"{source} has no {ASKED}, and no document that can be read: {kinds}.")
        if twice := {one.document for one in found} & {one.document for one in sections}:
            raise UserError(f"data.sources: two of them have {min(twice)}: rename one.")
        sections += found
    if not sections:
        raise UserError("data.sources: none of them has a document.")
    progress(0.5)
    documents = pl.DataFrame(map(astuple, sections), orient="row", schema=SCHEMA)
    questions = read_questions(params, {*documents["document"]})
    message = "%d sections of %d documents; %d questions, of which %d have no answer"
    unanswered = int((questions["documents"].list.len() == 0).sum())
    log.info(message, len(documents), documents["document"].n_unique(), len(questions), unanswered)
    expand(params, documents).write_parquet(folder / DOCUMENTS)
    questions.write_parquet(folder / QUESTIONS)


def read_tables(
    params: SupportParams, name: str, columns: Sequence[str]
) -> Iterator[tuple[Path, pl.DataFrame]]:
    """Yield the tables of a name that sources have; that of the FAQ is in this package.

    Raises:
        UserError: one cannot be read, or has not got a column.
    """
    here = Path(str(resources.files(__package__)))
    for source in params.data.sources:
        path = (here if source == FAQ else Path(source)) / name
        if path.exists():
            table = read_table(path, columns)
            if source == FAQ:
                begin = pl.col("document").str.split("/").list.first()  # of a name of the FAQ
                language = pl.col("language") if "language" in table.columns else begin
                table = table.filter(language.is_in(params.data.languages))
            yield path, table


def read_table(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    """Read a CSV or Parquet file as texts; raise UserError without it, or without a column."""
    is_parquet = path.suffix == ".parquet"
    try:
        table = pl.read_parquet(path) if is_parquet else pl.read_csv(path, infer_schema=False)
        table = table.select((~cs.nested() - cs.binary() - cs.duration()).cast(pl.String))
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise UserError(f"{path} cannot be read: {reason}.") from error
    for name in columns:
        if name not in table.columns:
            raise UserError(f"{path} has no column {name}; {suggest(name, table.columns)}")
    return table.with_columns(pl.all().fill_null("").str.strip_chars())


def read_questions(params: SupportParams, documents: Collection[str]) -> pl.DataFrame:
    """Return the different questions of all sources, with the documents that answer each.

    Of a question with several rows, the documents of all rows answer it.

    Raises:
        UserError: there are none, a table cannot be read, or a value is wrong.
    """
    tables = read_tables(params, ASKED, ("question", "documents"))
    asked = [complete(table, path, documents) for path, table in tables]
    if not asked:
        sources = ", ".join(params.data.sources)
        raise UserError(f"There is no {ASKED} in {sources}: see docs/data-card.md.")
    questions = pl.concat(asked).group_by("question", maintain_order=True)
    answers = pl.col("documents").explode().drop_nulls().unique(maintain_order=True)
    merged = questions.agg(pl.exclude("documents").first(), answers)
    is_answerable = pl.col("documents").list.len() > 0
    kind = pl.when(is_answerable).then(pl.lit(KINDS[0])).otherwise("kind")
    return merged.with_columns(kind=kind)


def complete(table: pl.DataFrame, path: Path, documents: Collection[str]) -> pl.DataFrame:
    """Return question, language, topic, kind and documents of a table; raise UserError."""
    require_questions(table, path)
    name = pl.element().str.strip_chars().str.normalize("NFC")
    names = pl.col("documents").str.split(SEPARATOR).list.eval(name)
    answers = names.list.eval(pl.element().filter(pl.element() != ""))

    def filled(name: str, default: pl.Expr) -> pl.Expr:
        if name not in table.columns:
            return default
        return pl.when(pl.col(name) == "").then(default).otherwise(pl.col(name))

    table = table.select(
        question="question",
        language=filled("language", pl.lit("")),
        topic=filled("topic", pl.col("question")),
        kind=filled("kind", pl.lit(KINDS[1])),
        documents=answers,
    )
    unanswered = table.filter(pl.col("documents").list.len() == 0)["kind"].unique()
    require_known(f"{path}, kind", unanswered, "a kind without documents", KINDS[1:])
    named = table["documents"].explode().drop_nulls().unique()
    require_known(f"{path}, documents", named, "a document", documents)
    return table


def require_questions(table: pl.DataFrame, path: Path) -> None:
    """Raise UserError for a row whose question the server would refuse."""
    for row, question in enumerate(table["question"], 1):
        try:
            SupportRequest(question=question)
        except ValidationError as error:
            message = f"a question has words, and at most {LONGEST:,} characters"
            raise UserError(f"{path}, row {row}: {message}.") from error


def expand(params: SupportParams, documents: pl.DataFrame) -> pl.DataFrame:
    """Add questions to the documents that answer them (Nogueira et al. 2019, doc2query).

    Raises:
        UserError: a table cannot be read, or names a document that is not there.
    """
    pairs = []
    for path, table in read_tables(params, EXPANSIONS, ("document", "question")):
        named = table["document"].str.normalize("NFC")
        require_known(f"{path}, document", named.unique(), "a document", {*documents["document"]})
        pairs.append(table.select(named, "question").filter(pl.col("question") != ""))
    if not pairs:
        return documents
    grouped = pl.concat(pairs).group_by("document", maintain_order=True).agg("question")
    joined = documents.join(grouped, on="document", how="left", maintain_order="left")
    questions = pl.coalesce("question", "questions").alias("questions")
    return joined.with_columns(questions).drop("question")


def read_rows(folder: Path) -> tuple[Columns, Columns]:
    """Return the rows of documents, and those of questions, with the same columns."""
    documents = pl.read_parquet(folder / DOCUMENTS)
    questions = pl.read_parquet(folder / QUESTIONS).rename({"documents": "answers"})
    both = pl.concat([documents, questions], how="diagonal").with_columns(
        pl.col(pl.String).fill_null(""), pl.col("page").fill_null(0)
    )
    rows = {column.name: column.to_numpy() for column in both if column.dtype != pl.List}
    for column in (column for column in both if column.dtype == pl.List):
        rows[column.name] = objects([tuple(values or ()) for values in column.to_list()])
    is_document = rows["question"] == ""
    return take(rows, is_document), take(rows, ~is_document)


def sections_of(rows: Columns, most: int) -> list[Passage]:
    """Return the documents among rows, each with at most `most` questions."""
    is_document = rows["question"] == ""
    columns = [rows[field.name][is_document].tolist() for field in fields(Passage)]
    sections = [Passage(*values) for values in zip(*columns, strict=True)]
    return [replace(section, questions=section.questions[:most]) for section in sections]


def read_batch(_params: SupportParams, source: Path, _folder: Path) -> Columns:
    """Read the questions of a CSV or Parquet file with a column `question`."""
    table = read_table(source, ("question",))
    require_questions(table, source)
    return {"question": table["question"].to_numpy()}


def examples(_folder: Path, rows: Columns, count: int) -> list[SupportRequest]:
    """Build requests from test questions of different topics."""
    _, first = np.unique(rows["topic"].astype(str), return_index=True)
    return [SupportRequest(question=rows["question"][row]) for row in first[:count]]


def objects(values: Sequence[Any]) -> NDArray[Any]:
    """Return an array of objects, (rows,): numpy would make two dimensions of tuples."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
