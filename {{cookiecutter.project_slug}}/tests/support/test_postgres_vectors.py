"""Embeddings in a real PostgreSQL with pgvector are searched as those in memory."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import psycopg
import pytest
from machine import missing
from servers import Server

from project_package.bundle import sha256_of_file
from project_package.errors import Unavailable, UserError
from project_package.support.index import Passage, write_index
from project_package.support.postgres_vectors import PostgresVectors
from project_package.support.task import open_vectors
from project_package.support.vectors import MemoryVectors, Vector

COUNT = 300  # passages
DIMENSIONS = 32
TABLES = "select tablename from pg_tables where tablename like 'embeddings%'"
Query = Callable[..., list[Any]]
support = pytest.mark.parametrize("use_case", ["support"], indirect=True, scope="session")


def random_vectors(rng: np.random.Generator, count: int) -> Vector:
    vectors = rng.normal(size=(count, DIMENSIONS))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Write an index of made-up embeddings, up to three of a passage; it is called by its hash."""
    rng = np.random.default_rng(5)
    passages = [Passage(f"{n}.md", "", 0, "", "en", "", "text") for n in range(COUNT)]
    vectors = [random_vectors(rng, 1 + n % 3) for n in range(COUNT)]
    write_index(tmp_path / "index", passages, vectors)
    path = tmp_path / sha256_of_file(tmp_path / "index")
    return (tmp_path / "index").rename(path)


@pytest.fixture
def address(postgres: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Set the address of a PostgreSQL that has pgvector."""
    monkeypatch.setenv("VECTOR_STORE_URL", postgres)
    with psycopg.connect(postgres) as connection:
        found = "select from pg_available_extensions where name = 'vector'"
        if not connection.execute(found).fetchall():
            missing("PostgreSQL has no pgvector: apt-get install '^postgresql-[0-9]+-pgvector$'")
    return postgres


@pytest.fixture
def query(address: str) -> Iterator[Query]:
    """Return what runs a query; no table of an index is there before and after."""
    with psycopg.connect(address, autocommit=True) as connection:

        def run(statement: str, *values: Any) -> list[Any]:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

        def drop() -> None:
            for (table,) in run(TABLES):
                run(f"drop table {table}")

        drop()
        yield run
        drop()


def in_table(query: Query, statement: str) -> list[Any]:
    """Run a query on the only table of an index."""
    ((table,),) = query(TABLES)
    return query(statement.replace("TABLE", table))


@pytest.mark.usefixtures("query")
def test_search_is_equal_to_that_in_memory(index: Path) -> None:
    memory = MemoryVectors(index)
    shared = open_vectors(index)
    assert isinstance(shared, PostgresVectors)
    for question in random_vectors(np.random.default_rng(6), 20):
        for count in (1, 10, 2 * COUNT):
            assert shared.nearest(question, count) == memory.nearest(question, count)
        numbers = memory.nearest(question, 50)
        found = shared.cosines(question, numbers)
        expected = memory.cosines(question, numbers)
        assert found.keys() == expected.keys() == {*numbers}
        for number in numbers:
            assert found[number] == pytest.approx(expected[number], abs=1e-6)


def test_servers_that_start_at_once_fill_one_table(index: Path, query: Query) -> None:
    with ThreadPoolExecutor(4) as threads:
        servers = [*threads.map(open_vectors, [index] * 4)]
    assert query(TABLES) == [(f"embeddings_{index.name[:32]}",)]
    assert in_table(query, "select count(*), count(nullif(own, false)) from TABLE") == [
        (600, COUNT)
    ]
    question = random_vectors(np.random.default_rng(7), 1)[0]
    assert len({tuple(server.nearest(question, 5)) for server in servers}) == 1


def test_later_loads_use_the_table(index: Path, query: Query) -> None:
    open_vectors(index)
    in_table(query, "delete from TABLE where passage > 9")
    question = random_vectors(np.random.default_rng(8), 1)[0]
    assert len(open_vectors(index).nearest(question, 99)) == 10


def test_load_that_fails_leaves_nothing(index: Path, tmp_path: Path, query: Query) -> None:
    damaged = tmp_path / "damaged"
    other = [Passage("a.md", "", 0, "", "en", "", "text")] * 2
    write_index(damaged, other, [np.ones((1, 3), np.float32), np.ones((1, 4), np.float32)])
    with pytest.raises(UserError, match="cannot be used: expected 3 dimensions, not 4"):
        open_vectors(damaged)
    assert query(TABLES) == []
    open_vectors(index)


def test_unreachable_store_is_unavailable(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VECTOR_STORE_URL", "postgresql://a:secret@127.0.0.1:9/x")
    with pytest.raises(
        Unavailable, match=r"cannot be used: .*port 9 failed.*\(pgvector\)"
    ) as raised:
        open_vectors(index)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "address",
    [
        "mysql://a:secret@127.0.0.1/x",
        "postgresql://a:secret%x@127.0.0.1/x",
        "postgresql://a:secret key@127.0.0.1/x",
        "postgresql://a:b@secret@127.0.0.1:9/x",
        "postgresql://a:secret/b@127.0.0.1:9/x",
    ],
)
def test_wrong_address_is_not_shown(
    index: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VECTOR_STORE_URL", address)
    with pytest.raises(UserError, match="VECTOR_STORE_URL cannot be read") as raised:
        open_vectors(index)
    assert "secret" not in str(raised.value)


def test_database_without_pgvector_is_an_error(
    index: Path, query: Query, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    query("create database bare")
    query("create role guest login password 'guest'")
    query("alter database bare owner to guest")
    place = address.partition("@")[2].replace("/postgres", "/bare")
    monkeypatch.setenv("VECTOR_STORE_URL", f"postgresql://guest:guest@{place}")
    with pytest.raises(UserError, match=r"permission denied to create extension .*\(pgvector\)"):
        open_vectors(index)


def test_missing_driver_names_its_extra(
    index: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert address
    monkeypatch.delitem(sys.modules, PostgresVectors.__module__)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match="VECTOR_STORE_URL needs `uv sync --extra postgresql`"):
        open_vectors(index)


def test_failure_during_a_question_is_unavailable(index: Path, query: Query) -> None:
    vectors = open_vectors(index)
    question = random_vectors(np.random.default_rng(9), 1)[0]
    clients = "from pg_stat_activity where backend_type = 'client backend'"
    query(f"select pg_terminate_backend(pid) {clients} and pid != pg_backend_pid()")
    assert vectors.nearest(question, 1)  # over a new connection
    in_table(query, "drop table TABLE")
    with pytest.raises(Unavailable, match="not available: retry later"):
        vectors.nearest(question, 1)


@support
def test_server_answers_503_while_its_table_is_not_there(
    started: Callable[..., Server], address: str, query: Query
) -> None:
    server = started(VECTOR_STORE_URL=address)
    body = {"instances": [{"question": "Is a building permit required for a fence or a plank?"}]}
    with httpx2.Client(base_url=server.url, headers=server.headers, timeout=60) as client:
        (found,) = client.post("/v1/predict", json=body).raise_for_status().json()["predictions"]
        assert found["answer"]
        ((table,),) = query(TABLES)
        query(f"alter table {table} rename to moved")
        refused = client.post("/v1/predict", json=body)
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        assert refused.json()["detail"] == "The vector store is not available: retry later."
        query(f"alter table moved rename to {table}")
        assert client.post("/v1/predict", json=body).is_success


@support
def test_server_without_its_store_does_not_start(
    started: Callable[..., Server], tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=r"VECTOR_STORE_URL cannot be used: .*port 9 failed"):
        started(VECTOR_STORE_URL="postgresql://a:secret@127.0.0.1:9/x")
    message = (tmp_path / "stderr").read_text()
    assert "secret" not in message
    assert "Traceback" not in message
