"""remember: the past of the latest data set, in a state that a server then knows."""

from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from project_package.contract import length
from project_package.lifecycle.project import Project
from project_package.lifecycle.remember import remember
from project_package.settings import Settings

MOST_BYTES = 100
"""That a remembered row may take on disk."""


@pytest.fixture(params=["sqlite", "redis"])
def addressed(request: pytest.FixtureRequest, project: Project, tmp_path: Path) -> Project:
    """Give the project with the address of its state."""
    address = f"sqlite:///{tmp_path / 'state.db'}"
    if request.param == "redis":
        address = request.getfixturevalue("redis")
        with Redis.from_url(address) as client:
            client.flushall()
    return replace(project, settings=Settings(state_url=address))


def test_what_the_state_knows_is_not_new_a_second_time(addressed: Project) -> None:
    rows = addressed.use_case.history(addressed.workspace.dataset().path)
    assert remember(addressed) == length(rows) > 1000
    assert remember(addressed) == 0


def test_a_row_takes_few_bytes(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    new = remember(replace(project, settings=Settings(state_url=str(file))))
    assert file.stat().st_size / new <= MOST_BYTES
