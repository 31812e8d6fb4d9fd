"""Real servers of databases for the tests that need them: PostgreSQL and Redis."""

import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from machine import missing, require
from redis import Redis
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as RedisConnectionError

POSTGRESQL = Path("/usr/lib/postgresql")  # where Debian puts it
PASSWORD = "not-to-be-seen"  # noqa: S105  of a server that lives as long as the tests


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a server on a free loopback port; return the address of its empty database."""
    programs = sorted(POSTGRESQL.glob("*/bin"))
    if not programs:
        missing(f"there is no PostgreSQL in {POSTGRESQL}: apt-get install postgresql")
    with (
        TemporaryDirectory(prefix="postgres-") as name,
        socket.create_server(("127.0.0.1", 0)) as s,
    ):
        folder, port = Path(name), s.getsockname()[1]
        s.close()
        (folder / "password").write_text(PASSWORD)
        _run(folder, programs[-1] / "initdb", "--username=reader", "--auth=scram-sha-256",
             f"--pwfile={folder / 'password'}", "--no-sync", "--encoding=UTF8")  # fmt: skip
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -F"
        control = programs[-1] / "pg_ctl"
        _run(folder, control, "start", "--wait", f"--log={folder / 'log'}", f"--options={options}")
        try:
            yield f"postgresql://reader:{PASSWORD}@127.0.0.1:{port}/postgres"
        finally:
            _run(folder, control, "stop", "--wait", "--mode=immediate")


StartRedis: TypeAlias = Callable[[Path, int], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def start_redis() -> StartRedis:
    """Return what runs a durable Redis on a folder and a loopback port."""
    return partial(_redis, require("redis-server", "redis-server"))


@pytest.fixture(scope="session")
def redis(start_redis: StartRedis) -> Iterator[str]:
    """Start a Redis on a free port; return its address."""
    with TemporaryDirectory(prefix="redis-") as folder:
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        with start_redis(Path(folder), port):
            yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def _redis(program: str, folder: Path, port: int) -> Iterator[None]:
    """Run a Redis with its data in a folder until the block ends."""
    options = f"--port {port} --bind 127.0.0.1 --appendonly yes --appendfsync always --save ''"
    command = [program, *shlex.split(options), "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        with Redis(port=port) as client:
            while not _answers(client):
                assert server.poll() is None, "the Redis ended"
        yield
        server.terminate()


def _answers(client: Redis) -> bool:
    with suppress(RedisConnectionError, BusyLoadingError):
        return bool(client.ping())
    return False


def _run(folder: Path, program: Path, *arguments: str) -> None:
    """Run a program; as the user postgres when we are root, since PostgreSQL refuses root."""
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    subprocess.run(
        [program, f"--pgdata={folder / 'data'}", *arguments],
        check=True,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
