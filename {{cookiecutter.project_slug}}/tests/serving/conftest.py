"""Published models of the use cases that multiply."""

from pathlib import Path

import pytest
from multiplying import TIMES, Published


@pytest.fixture
def times(tmp_path: Path) -> Published:
    """Publish version 1 of a use case without history."""
    found = Published(tmp_path, TIMES)
    found.publish(1)
    return found


@pytest.fixture
def totals(tmp_path: Path) -> Published:
    """Publish version 1 of a use case with history."""
    from totals import TOTALS  # noqa: PLC0415  projects without an event store lack it

    found = Published(tmp_path, TOTALS)
    found.publish(1)
    return found
