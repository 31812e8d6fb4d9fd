"""A state that is slow: who needs it is told to come again, and nobody works for who is gone."""

import asyncio
from typing import Any

import numpy as np
import pytest

from project_package.features.history import EVENT
from project_package.state.base import StateUnusable
from project_package.serving.batch import Versions, Watch
from project_package.serving.follower import Follower
from project_package.serving.live import Live
from project_package.state.base import State
from project_package.model_store import CHALLENGER, CHAMPION

MOST = 3


def live_of(multiplying: Any) -> Live:
    one = Follower(multiplying.api, multiplying.store, CHAMPION)
    two = Follower(multiplying.api, multiplying.store, CHALLENGER, optional=True)
    state = State(multiplying.state, multiplying.api.memory)
    return Live(multiplying.api, state, Versions(one, two, 0), Watch(), MOST)


def names(state: State) -> list[bool]:
    """Tell which of the first rows are remembered."""
    found = []
    with state.transaction():
        for name in "abcde":
            rows = {"timestamp": np.zeros(1, np.int64), EVENT: np.array([name], object)}
            found.append(not state.add({**rows, "x": np.zeros(1), "who": rows[EVENT]}, 0))
    return found


def test_no_more_wait_than_may_and_what_nobody_waits_for_is_not_done(multiplying: Any) -> None:
    live = live_of(multiplying)

    async def ask() -> None:
        waiting = []
        for name in "abc":
            event = multiplying.api.request(x=1, name=name)
            waiting.append(asyncio.create_task(live.remember([event])))
            await asyncio.sleep(0)
        with pytest.raises(StateUnusable, match="More wait for the state"):
            await live.remember([multiplying.api.request(x=1, name="d")])
        waiting[1].cancel()
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(live.remember([multiplying.api.request(x=1, name="e")])))
        running = asyncio.create_task(live.run())
        for one in (waiting[0], waiting[2], waiting[3]):
            assert await one == (1, 0)
        running.cancel()

    asyncio.run(ask())
    assert names(live.state) == [True, False, True, False, True]
