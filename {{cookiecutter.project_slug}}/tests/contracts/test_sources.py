"""Clauses are read from tables and folders; what is missing is named."""

from pathlib import Path

import polars as pl
import pytest

from project_package.contracts.sources import read_folder, read_labelled
from project_package.errors import UserError

LABELS = "document,clause,type\nterms.md,1,grant\nterms.md,2,\nterms.md,3,misc\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = "# Scope\n\nYou may use it.\n\n# Support\n\nBy mail.\n\n# Notices\n\nIn writing.\n"
    (tmp_path / "terms.md").write_text(text, encoding="utf-8")
    (tmp_path / "labels.csv").write_text(LABELS, encoding="utf-8")
    (tmp_path / "logo.png").write_bytes(b"")
    return tmp_path


def test_folder_has_the_clauses_of_its_documents(folder: Path) -> None:
    found = read_folder(folder)
    assert found.rows() == [
        ("terms.md", 1, 1, "Scope", "You may use it."),
        ("terms.md", 2, 1, "Support", "By mail."),
        ("terms.md", 3, 1, "Notices", "In writing."),
    ]


def test_labels_name_clauses_of_a_folder(folder: Path) -> None:
    found = read_labelled(folder, "labels.csv")
    assert found.select("document", "owner", "text", "type").rows() == [
        ("terms.md", "terms.md", "You may use it.", "grant"),
        ("terms.md", "terms.md", "In writing.", "misc"),
    ]


def test_table_needs_text_and_type_only(tmp_path: Path) -> None:
    path = tmp_path / "clauses.csv"
    pl.DataFrame({"text": ["one", "two"], "type": ["a", " b "]}).write_csv(path)
    found = read_labelled(path, "labels.csv")
    assert found["type"].to_list() == ["a", "b"]
    assert found["owner"].n_unique() == 2


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ("document,clause,kind\nterms.md,1,grant\n", "has no column type"),
        ("document,number,type\nterms.md,1,grant\n", "has no column clause"),
        ("document,clause,type\nterms.md,9,grant\n", r"a label of clause 9 of terms\.md"),
        ("document,clause,type\n", "has no rows"),
        (LABELS + "terms.md,1,misc\n", r"two labels of clause 1 of terms\.md"),
    ],
)
def test_refuses_labels_that_fit_nothing(folder: Path, labels: str, sentence: str) -> None:
    (folder / "labels.csv").write_text(labels, encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        read_labelled(folder, "labels.csv")


def test_values_that_are_empty_have_defaults(tmp_path: Path) -> None:
    path = tmp_path / "clauses.csv"
    path.write_text('text,type,owner,document\n"one  two",a,,\nthree,b,O1,D1\n', encoding="utf-8")
    found = read_labelled(path, "labels.csv")
    assert found["text"].to_list() == ["one two", "three"]
    assert found["owner"].to_list() == ["row 1", "O1"]
    assert found["document"].to_list() == ["row 1", "D1"]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("one,a,1.5", r"row 2: clause must be a whole number from 0, not '1\.5'"),
        ("one,a,-1", r"row 2: clause must be a whole number from 0, not '-1'"),
        (" ,a,1", "row 2: text is empty"),
    ],
)
def test_names_the_row_of_a_wrong_value(tmp_path: Path, row: str, sentence: str) -> None:
    path = tmp_path / "clauses.csv"
    path.write_text(f"text,type,clause\nzero,a,1\n{row}\n", encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        read_labelled(path, "labels.csv")


def test_files_that_programs_hide_are_no_documents(folder: Path) -> None:
    (folder / ".cache").mkdir()
    for name in ("~$terms.docx", "._terms.pdf", ".cache/terms.txt"):
        (folder / name).write_bytes(b"nothing")
    assert len(read_folder(folder)) == 3


def test_refuses_a_folder_without_documents(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"has no documents: \.pdf, \.docx"):
        read_folder(tmp_path)
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4")
    with pytest.raises(UserError, match=r"broken\.pdf is damaged"):
        read_folder(tmp_path)
