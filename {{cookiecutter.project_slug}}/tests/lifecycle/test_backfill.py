"""remember: the past of the latest data set, in a state that a server then knows."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from redis import Redis

from project_package.contract import length
from project_package.errors import UserError
from project_package.features.history import EVENT
from project_package.lifecycle.project import Project
from project_package.lifecycle.backfill import remember
from project_package.settings import Settings
from project_package.state.base import State

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


def test_a_data_set_that_is_older_than_all_that_is_kept_is_told(addressed: Project) -> None:
    rows = addressed.use_case.history(addressed.workspace.dataset().path)
    newer = {name: values[-1:] for name, values in rows.items()}
    newer |= {"timestamp": rows["timestamp"][-1:] + 10**12, EVENT: np.array(["new"], object)}
    state = State(addressed.settings.state(Path()), addressed.use_case.api.memory)
    with state.transaction():
        assert state.add(newer, 0)
    with pytest.raises(UserError, match="keeps none of the data set's time"):
        remember(addressed)


@pytest.mark.parametrize("address", ["valkey://host/0", "redis:/host", "file:///state.db"])
def test_an_address_that_is_no_state_is_refused(address: str) -> None:
    with pytest.raises(UserError, match=f"STATE_URL={address} is none of"):
        Settings(state_url=address).state(Path())


def test_another_gets_its_turn_in_between(project: Project, tmp_path: Path) -> None:
    mine = replace(project, settings=Settings(state_url=str(tmp_path / "state.db")))
    other, seen = State(tmp_path / "state.db", mine.use_case.api.memory), list[int]()
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(remember, mine)
        while not done.done():
            with other.transaction():
                seen.append(other._newest or 0)
    assert len(set(seen)) > 3


def test_a_row_takes_few_bytes(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    new = remember(replace(project, settings=Settings(state_url=str(file))))
    assert file.stat().st_size / new <= MOST_BYTES
