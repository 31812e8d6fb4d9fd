"""A real Redis for the tests that need it."""

import shlex
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from machine import require
from redis import Redis
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as RedisConnectionError

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
