"""A published model of the use case that multiplies."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from multiplying import TIMES, Published


@pytest.fixture
def anyio_backend() -> str:
    """Run asynchronous tests with asyncio."""
    return "asyncio"


@pytest.fixture
def times(tmp_path: Path) -> Published:
    """Publish version 1 of a use case without history."""
    found = Published(tmp_path, TIMES)
    found.publish(1)
    return found


@pytest.fixture
def client(times: Published) -> Iterator[TestClient]:
    """Serve the use case."""
    with TestClient(times.app()) as opened:
        yield opened
