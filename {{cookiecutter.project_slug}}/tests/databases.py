"""A real PostgreSQL for the tests that need it."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from machine import missing

POSTGRESQL = Path("/usr/lib/postgresql")  # where Debian puts it
PASSWORD = "not-to-be-seen"  # noqa: S105  of a server that lives as long as the tests

PROCESSES = """
SELECT pid FROM pg_stat_activity
UNION SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)::int
"""


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
        folder = Path(name)
        port = s.getsockname()[1]
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


@contextmanager
def stopped(address: str) -> Iterator[None]:
    """Stop all processes of a server: it accepts connections and answers nothing."""
    with psycopg.connect(address, autocommit=True) as connection:
        pids = connection.execute(PROCESSES).fetchall()
        try:
            for (pid,) in pids:
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for (pid,) in pids:
                os.kill(pid, signal.SIGCONT)


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
