"""Queries to real databases: SQLite, and PostgreSQL where it is installed."""

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from project_package.data.database import download
from project_package.errors import UserError

SECRET = "not-to-be-seen"  # noqa: S105  what conftest.py uses too
COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"


def rows(query: str, url: str, folder: Path) -> list[dict[str, Any]]:
    with duckdb.connect() as duck:
        download(duck, query, url, folder / "rows.parquet")
    return list(pq.read_table(folder / "rows.parquet").to_pylist())


def refusal(query: str, url: str, folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        rows(query, url, folder)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    """Make a database with one table; return its address."""
    with sqlite3.connect(tmp_path / "shop #1.db") as connection:
        connection.execute("CREATE TABLE paid (id INTEGER, amount NUMERIC)")
        connection.executemany("INSERT INTO paid VALUES (?, ?)", [(1, 12), (2, 12.5)])
    connection.close()
    return f"sqlite:///{tmp_path}/shop #1.db"


def test_sqlite_returns_rows(sqlite: str, tmp_path: Path) -> None:
    found = rows("SELECT * FROM paid ORDER BY id;", sqlite, tmp_path)
    assert found == [{"id": 1, "amount": 12.0}, {"id": 2, "amount": 12.5}]


def test_long_result_is_complete(sqlite: str, tmp_path: Path) -> None:
    found = rows(f"{COUNT} SELECT i FROM n", sqlite, tmp_path)  # noqa: S608
    assert sum(row["i"] for row in found) == 200_000 * 200_001 // 2


def test_sqlite_is_read_only(sqlite: str, tmp_path: Path) -> None:
    assert "readonly" in refusal("DELETE FROM paid", sqlite, tmp_path)
    assert len(rows("SELECT * FROM paid", sqlite, tmp_path)) == 2


def test_late_change_of_type_suggests_a_cast(sqlite: str, tmp_path: Path) -> None:
    mixed = "SELECT CASE WHEN i < 100000 THEN i ELSE 'x' END AS amount FROM n"
    assert "CAST(... AS TEXT)" in refusal(f"{COUNT} {mixed}", sqlite, tmp_path)


def test_sqlite_file_must_exist(tmp_path: Path) -> None:
    said = refusal("SELECT 1", f"sqlite:///{tmp_path}/nothing.db", tmp_path)
    assert f"there is no SQLite file {tmp_path}/nothing.db" in said
    assert not (tmp_path / "nothing.db").exists()


def test_rejects_a_bad_query(sqlite: str, tmp_path: Path) -> None:
    assert "check DATA_URL and data.query" in refusal("SELEC 1", sqlite, tmp_path)


def test_postgresql_returns_typed_rows(postgres: str, tmp_path: Path) -> None:
    query = (
        "SELECT 7::bigint AS id, 12.50::numeric(10, 2) AS amount, true AS is_fraud, "
        "'2024-01-01 12:00+02'::timestamptz AT TIME ZONE 'UTC' AS at, NULL::text AS note"
    )
    assert rows(query, postgres, tmp_path) == [
        {"id": 7, "amount": "12.50", "is_fraud": True, "at": datetime(2024, 1, 1, 10), "note": None}
    ]


def test_postgresql_is_read_only(postgres: str, tmp_path: Path) -> None:
    assert "read-only transaction" in refusal("CREATE TABLE paid ()", postgres, tmp_path)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT 1; DROP TABLE paid", "cannot insert multiple commands"),
        ("SELECT 1 / (i - 90000) AS id FROM generate_series(1, 100000) AS i", "division by zero"),
    ],
)
def test_postgresql_errors_are_one_sentence(
    postgres: str, tmp_path: Path, query: str, message: str
) -> None:
    assert message in refusal(query, postgres, tmp_path)


def test_wrong_password_is_not_shown(postgres: str, tmp_path: Path) -> None:
    said = refusal("SELECT 1", postgres.replace(SECRET, f"{SECRET}%21"), tmp_path)
    assert 'password authentication failed for user "reader"' in said


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://reader:{SECRET}@127.0.0.1:1/postgres",
        f"postgresql://reader@127.0.0.1:1/postgres?password={SECRET}",
        f"postgresql://reader:{SECRET}@127.0.0.1:1/postgres?nonsense=1",
    ],
)
def test_unreachable_server_is_a_user_error(tmp_path: Path, url: str) -> None:
    assert "The database returned no rows" in refusal("SELECT 1", url, tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://reader:{SECRET}/x@host/postgres",
        f"postgresql://reader:x@{SECRET}@host/postgres",
        f"postgresql://reader:{SECRET}#@host/postgres",
        f"postgresql://[reader:{SECRET}@host/postgres",
        f"postgresql://reader:x@host:{SECRET}/postgres",
        f"mysql://reader:{SECRET}@host/shop",
    ],
)
def test_rejects_ambiguous_addresses(tmp_path: Path, url: str) -> None:
    assert "DATA_URL must have the form" in refusal("SELECT 1", url, tmp_path)


def test_query_and_address_are_required(tmp_path: Path) -> None:
    assert "data.query is empty" in refusal(" ", "sqlite:///shop.db", tmp_path)
    assert "DATA_URL is not set" in refusal("SELECT 1", "", tmp_path)
