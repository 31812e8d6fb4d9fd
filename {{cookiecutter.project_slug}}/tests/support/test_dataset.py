"""Documents and questions become a data set; a wrong table is an error that names the value."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from project_package.errors import UserError
from project_package.support import dataset
from project_package.support.params import SupportParams

FILES = {
    "fees.md": "# Fees\n\nIt is free.",
    "hours.md": "# Hours\n\nFrom nine.",
    "questions.csv": "question,documents\nWhat is the price?,fees.md\nWho is the king?,\n",
}


def load(folder: Path, **files: str) -> tuple[Any, Any]:
    """Return the rows of documents and questions of a folder with files."""
    source = folder / "own"
    source.mkdir()
    for name, text in {**FILES, **files}.items():
        (source / name).write_text(text)
    params = SupportParams.model_validate({"name": "own", "data": {"sources": [str(source)]}})
    dataset.load_data(params, folder, lambda _: None)
    return dataset.read_rows(folder)


def test_own_folder_needs_two_columns(tmp_path: Path) -> None:
    documents, questions = load(tmp_path)
    assert documents["document"].tolist() == ["fees.md", "hours.md"]
    assert questions["question"].tolist() == ["What is the price?", "Who is the king?"]
    assert questions["answers"].tolist() == [("fees.md",), ()]
    assert questions["kind"].tolist() == ["answerable", "near"]
    assert questions["topic"].tolist() == questions["question"].tolist()
    assert documents.keys() == questions.keys()


def test_expansions_belong_to_their_documents(tmp_path: Path) -> None:
    table = "document,question\nfees.md,Do I pay?\nfees.md,Is it gratis?\n"
    documents, _ = load(tmp_path, **{"expansions.csv": table})
    found = {
        most: [s.questions for s in dataset.sections_of(documents, most)] for most in (0, 1, 9)
    }
    assert found == {
        0: [(), ()],
        1: [("Do I pay?",), ()],
        9: [("Do I pay?", "Is it gratis?"), ()],
    }


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("question,document\nWhy?,fees.md\n", 'no column documents; did you mean "document"'),
        ("question,documents\nWhy?,fee.md\n", 'documents: "fee.md" is not a document; did you'),
        ("question,documents,kind\nWhy?,,odd\n", 'kind: "odd" is not a kind without'),
        ("question,documents\nWhy?,\n?!,fees.md\n", "row 2: a question has words"),
        ("question,documents\na,b,c,d\n", "cannot be read"),
    ],
)
def test_wrong_questions_are_an_error(tmp_path: Path, table: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load(tmp_path, **{"questions.csv": table})


def test_missing_questions_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "fees.md").write_text("Free.")
    data = {"sources": [str(tmp_path / "own")]}
    params = SupportParams.model_validate({"name": "own", "data": data})
    with pytest.raises(UserError, match=r"There is no questions\.csv in "):
        dataset.load_data(params, tmp_path, lambda _: None)


def test_faq_has_questions_of_its_languages(tmp_path: Path) -> None:
    params = SupportParams.model_validate({"name": "faq", "data": {"languages": ["sv"]}})
    dataset.load_data(params, tmp_path, lambda _: None)
    documents, questions = dataset.read_rows(tmp_path)
    assert {*questions["language"]} == {*documents["language"]} == {"sv"}
    assert all(len(expanded) == 3 for expanded in documents["questions"])
    assert len(questions["question"]) >= 130


def test_batch_is_a_table_of_questions(tmp_path: Path) -> None:
    params = SupportParams(name="own")
    pl.DataFrame({"question": ["Why?", "How?"], "id": [1, 2]}).write_csv(tmp_path / "asked.csv")
    assert dataset.read_batch(params, tmp_path / "asked.csv", tmp_path)["question"].tolist() == [
        "Why?",
        "How?",
    ]
    with pytest.raises(UserError, match="cannot be read"):
        dataset.read_batch(params, tmp_path / "none.csv", tmp_path)


def test_batch_may_have_any_types_of_columns(tmp_path: Path) -> None:
    questions = pl.Series(["Why?", "Why?"], dtype=pl.Categorical)
    values = {
        "id": [1, 2],
        "tags": [["a"], []],
        "took": [timedelta(1), None],
        "day": [date.max, None],
    }
    table = pl.DataFrame({"question": questions, **values})
    table.write_parquet(tmp_path / "asked.parquet")
    batch = dataset.read_batch(SupportParams(name="own"), tmp_path / "asked.parquet", tmp_path)
    assert batch["question"].tolist() == ["Why?", "Why?"]


def test_rows_of_one_question_are_merged(tmp_path: Path) -> None:
    rows = ["Why?,,far", "How?,fees.md,", "Why?,hours.md,", "How?,hours.md;fees.md,", "Who?,,far"]
    table = "\n".join(["question,documents,kind", *rows])
    _, questions = load(tmp_path, **{"questions.csv": table})
    assert questions["question"].tolist() == ["Why?", "How?", "Who?"]
    assert questions["answers"].tolist() == [("hours.md",), ("fees.md", "hours.md"), ()]
    assert questions["kind"].tolist() == ["answerable", "answerable", "far"]


def test_names_are_equal_however_letters_are_composed(tmp_path: Path) -> None:
    composed, decomposed = "\u00e5.md", "a\u030a.md"
    tables = {
        "questions.csv": f"question,documents\nWhy?,{composed}\nHow?,{decomposed}\n",
        "expansions.csv": f"document,question\n{decomposed},Do I pay?\n",
    }
    documents, questions = load(tmp_path, **{decomposed: "It is free."}, **tables)
    assert composed in documents["document"]
    assert questions["answers"].tolist() == [(composed,), (composed,)]
    assert ("Do I pay?",) in documents["questions"].tolist()


def test_blank_cells_are_defaults(tmp_path: Path) -> None:
    table = "question,documents,topic,kind\nWhy?,,,\nHow?, fees.md ; hours.md,,far\n"
    _, questions = load(tmp_path, **{"questions.csv": table})
    assert questions["topic"].tolist() == ["Why?", "How?"]
    assert questions["kind"].tolist() == ["near", "answerable"]
    assert questions["answers"].tolist() == [(), ("fees.md", "hours.md")]


def test_one_name_in_two_sources_is_an_error(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "fees.md").write_text("Free.")
    data = {"sources": [str(tmp_path / name) for name in "ab"]}
    params = SupportParams.model_validate({"name": "own", "data": data})
    with pytest.raises(UserError, match=r"two of them have fees\.md"):
        dataset.load_data(params, tmp_path, lambda _: None)


def test_expansion_of_no_document_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'document: "fee\.md" is not a document; did you mean'):
        load(tmp_path, **{"expansions.csv": "document,question\nfee.md,Do I pay?\n"})
