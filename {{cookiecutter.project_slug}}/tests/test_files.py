"""Which files there are, their columns, and how strictly they are read."""

import gzip
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from project_package.errors import UserError
from project_package.files import find, read


def table(path: Path) -> tuple[list[str], list[tuple[Any, ...]]]:
    with duckdb.connect() as duck:
        found = read(duck, path)
        return found.columns, found.fetchall()


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_pattern_finds_files_by_name_and_a_path_is_no_pattern(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "[a].csv"):
        (tmp_path / name).touch()
    (tmp_path / "folder.csv").mkdir()
    assert [path.name for path in find(f"{tmp_path}/*.csv")] == ["[a].csv", "a.csv", "b.csv"]
    assert find(f"{tmp_path}/[a].csv") == [tmp_path / "[a].csv"]


@pytest.mark.parametrize("name", ["nothing.csv", "*.parquet", "", "s3://bucket/rows.parquet"])
def test_a_path_that_matches_nothing_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="no file matches"):
        find(name if "://" in name else f"{tmp_path}/{name}")


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_csv_is_read_as_text_whatever_stands_between(tmp_path: Path, mark: str) -> None:
    text = f'\ufeff{mark}id{mark}"what, now"\r\n0{mark}007{mark}"a ""b"""\r\n1{mark}{mark}""\r\n'
    path = written(tmp_path / "[1].csv", text)
    columns, rows = table(path)
    assert columns == ["column 1", "id", "what, now"]
    assert rows == [("0", "007", 'a "b"'), ("1", None, None)]


def test_compressed_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"id,amount\n1,2\n"))
    assert table(path) == (["id", "amount"], [("1", "2")])


@pytest.mark.parametrize("row", ["7,8,9", "7", '"7,8', '7,"8" 9'])
def test_a_line_that_does_not_fit_is_never_skipped(tmp_path: Path, row: str) -> None:
    path = written(tmp_path / "rows.csv", f"id,amount\n5,6\n{row}\n")
    with pytest.raises(duckdb.Error, match="Line: 3"):
        table(path)


def test_parquet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "[1].parquet"
    pq.write_table(pa.table({"id": [1, 2]}), path)
    assert table(path) == (["id"], [(1,), (2,)])


def test_a_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"id": [1, 2]}), path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"rows\.parquet is no Parquet file, or only a part"):
        table(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "rows.csv is empty"),
        ("né,id\n".encode("latin1"), "rows.csv is no CSV file in UTF-8"),
        (b"id,id\n1,2\n", 'rows.csv has more than one column "id"'),
        (b"id,ID\n1,2\n", 'rows.csv has more than one column "ID"'),
    ],
)
def test_a_bad_first_line_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "rows.csv").write_bytes(content)
    with pytest.raises(UserError, match=message):
        table(tmp_path / "rows.csv")
