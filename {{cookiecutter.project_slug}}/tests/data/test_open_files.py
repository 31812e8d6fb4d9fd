"""Parquet and CSV files are found and opened as they were written."""

import gzip
from pathlib import Path
from typing import Any

import duckdb
import pytest
from data.tables import csv_file, parquet_file

from project_package.data.open_files import find_files, in_utf8, open_file
from project_package.errors import UserError


def opened(path: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
    with duckdb.connect() as duck:
        found = open_file(duck, path)
        return found.columns, found.fetchall()


def test_pattern_finds_files_and_path_is_literal(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "[a].csv"):
        (tmp_path / name).touch()
    (tmp_path / "folder.csv").mkdir()
    assert [path.name for path in find_files(f"{tmp_path}/*.csv")] == ["[a].csv", "a.csv", "b.csv"]
    assert find_files(f"{tmp_path}/[a].csv") == [tmp_path / "[a].csv"]


@pytest.mark.parametrize("name", ["nothing.csv", "*.parquet", "", "s3://bucket/rows.parquet"])
def test_rejects_a_path_without_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="No file matches"):
        find_files(name if "://" in name else f"{tmp_path}/{name}")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_csv_is_text_with_any_delimiter(tmp_path: Path, mark: str) -> None:
    text = f'\ufeff{mark}id{mark}"what, now"\r\n0{mark}007{mark}"a ""b"""\r\n1{mark}{mark}""\r\n'
    (tmp_path / "[1].csv").write_text(text)
    columns, rows = opened(tmp_path / "[1].csv")
    assert columns == ["column 1", "id", "what, now"]
    assert rows == [("0", "007", 'a "b"'), ("1", None, None)]


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8", "utf-8-sig"])
def test_csv_of_the_other_encoding_is_copied(tmp_path: Path, encoding: str, name: str) -> None:
    content = "né,id\n€,1\n".encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    other = "utf-16" if encoding == "utf-16" else "cp1252"
    assert opened(in_utf8(tmp_path / name, other, tmp_path)) == (["né", "id"], [("€", "1")])


@pytest.mark.parametrize("encoding", ["ascii", "utf-16", "no codec"])
def test_text_of_a_third_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "rows.csv").write_bytes("né,id\n€,1\n".encode("cp1252"))
    with pytest.raises(UserError, match=f"is neither in UTF-8 nor in {encoding}: save it as"):
        in_utf8(tmp_path / "rows.csv", encoding, tmp_path)


def test_compressed_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"id,amount\n1,2\n"))
    assert opened(path) == (["id", "amount"], [("1", "2")])


@pytest.mark.parametrize("row", ["7,8,9", "7", '"7,8', '7,"8" 9'])
def test_bad_line_is_never_skipped(tmp_path: Path, row: str) -> None:
    path = csv_file(tmp_path / "rows.csv", "id,amount", "5,6", row)
    with pytest.raises(duckdb.Error, match="Line: 3"):
        opened(Path(path))


def test_rejects_a_truncated_parquet_file(tmp_path: Path) -> None:
    path = Path(parquet_file(tmp_path / "rows.parquet", id=[1, 2]))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"rows\.parquet is not a Parquet file, or is truncated"):
        opened(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "rows.csv is empty"),
        ("né,id\n".encode("latin1"), "rows.csv is not a CSV file in UTF-8"),
        (b"id,id\n1,2\n", 'rows.csv has more than one column "id"'),
        (b'id,"amount\n' + b"x" * 200_000, "rows.csv is not a CSV file"),
        (b"id,ID\n1,2\n", 'rows.csv has more than one column "ID"'),
    ],
)
def test_rejects_a_bad_first_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(UserError, match=message):
        opened(tmp_path / "rows.csv")
