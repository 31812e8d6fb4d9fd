"""Live answers: each with the past that the server remembers, and remembered before it is given.

Bodies that wait together are worked off together: one look at the state, one run of the graph, one
commit. So the disk is asked once for many, and nobody is told an answer that a crash could undo.
"""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..contract import Columns, Past, take
from ..features.history import EVENT
from ..state.base import StateUnusable
from ..state.base import State
from .batch import Answers, Batch, Versions, Watch, run_each
from .follower import AnyApi
from .work import Finish, Label, Predict, Refused, Remember, Turn, Work

MOST_TOGETHER = 256
"""Rows of bodies that one commit may hold."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Waiting:
    size: int
    work: Work
    done: asyncio.Future[Any]


class Live:
    """The one who reads and writes the state, turn after turn.

    `away` says why the last turn could not; it is empty when all is well. No more than `most`
    bodies wait: a slow state must not take the places of those who do not need it.
    """

    def __init__(
        self, api: AnyApi, state: State, versions: Versions, watch: Watch, most: int = 128
    ) -> None:
        self.api, self.state, self.versions, self.watch = api, state, versions, watch
        self.away, self.most, self._count = "", most, 0
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread, self._disk = ThreadPoolExecutor(1, "state"), ThreadPoolExecutor(1, "disk")

    async def answer(self, requests: Sequence[Any], pasts: Sequence[Past | None]) -> Answers:
        """Answer requests; one without a past with what is remembered, and it is remembered.

        Raises:
            Refused: one lacks something; nothing of the body is remembered.
        """
        answers: Answers = await self._put(len(requests), Predict(self.api, requests, pasts))
        return answers

    async def remember(self, events: Sequence[Any]) -> tuple[int, int]:
        """Remember events; give how many were new, and how many too old to be kept."""
        work = Remember(self.api.memory.rows(events))
        counts: tuple[int, int] = await self._put(len(events), work)
        return counts

    async def label(self, labels: Sequence[Any]) -> list[int]:
        """Set labels; give the places of those whose event is not remembered."""
        assert self.api.memory.labels is not None  # noqa: S101 - else there is no such route
        unknown: list[int] = await self._put(len(labels), Label(self.api.memory.labels(labels)))
        return unknown

    async def run(self) -> None:
        """Work off what waits, until cancelled; a turn begins while the disk has the one before."""
        loop = self._loop = asyncio.get_running_loop()
        while True:
            waiting = [one for one in await self._gather() if not one.done.cancelled()]
            works = [one.work for one in waiting]
            turn = loop.run_in_executor(self._thread, self._results, works)
            await asyncio.wait([turn])
            kept = loop.run_in_executor(self._disk, self._kept, turn)
            kept.add_done_callback(partial(self._tell, waiting))

    async def _gather(self) -> list[_Waiting]:
        """Give what waits, and what comes while the rounds of the event loop bring more."""
        waiting, size = list[_Waiting](), 0
        more = await self._waiting.get()
        while True:
            waiting.append(more)
            size += more.size
            if self._waiting.empty():
                await asyncio.sleep(0)
            if self._waiting.empty() or size >= MOST_TOGETHER:
                return waiting
            more = self._waiting.get_nowait()

    def _kept(self, turn: asyncio.Future[list[Any]]) -> list[Any]:
        """Give the results of a turn once they are on disk."""
        results = turn.result()
        self.state.sync()
        return results

    def _tell(self, waiting: Sequence[_Waiting], kept: asyncio.Future[list[Any]]) -> None:
        """Give each who waits the result, or the error."""
        error = kept.exception()
        self._say_away(str(error) if isinstance(error, StateUnusable) else "")
        results = [error] * len(waiting) if error else kept.result()
        for one, result in zip(waiting, results, strict=True):
            if one.done.cancelled():
                continue
            if isinstance(result, BaseException) and one.size:
                one.done.set_exception(result)
            else:
                one.done.set_result(result)

    def _say_away(self, reason: str) -> None:
        if reason and not self.away:
            log.warning("state unusable", extra={"reason": reason})
        self.away = reason

    async def look(self, seconds: float) -> None:
        """Find out, again and again, whether the state can be used; until cancelled."""
        while True:
            await self.finish()
            await asyncio.sleep(seconds)

    async def finish(self) -> None:
        """Return when all that waits by now is done, or who waits was told why not."""
        await self._put(0, Remember({EVENT: np.empty(0, object)}))

    async def _put(self, size: int, work: Work) -> Any:
        if size and self._count >= self.most:
            raise StateUnusable("More wait for the state than it can serve: ask again.")
        done = asyncio.get_running_loop().create_future()
        self._count += bool(size)
        try:
            await self._waiting.put(_Waiting(size, work, done))
            return await done
        finally:
            self._count -= bool(size)

    def _results(self, works: Sequence[Work]) -> list[Any]:
        """Do works in one transaction; give the result of each, or why it is refused.

        A body that is refused after it changed the state leaves nothing: the others are done again
        without it.
        """
        refused: dict[Work, Refused] = {}
        while True:
            try:
                finish = self._turn([work for work in works if work not in refused], refused)
            except Refused:
                continue
            return [refused.get(work) or finish[work]() for work in works]

    def _turn(self, works: Sequence[Work], refused: dict[Work, Refused]) -> dict[Work, Finish]:
        """Do works in one transaction; raise Refused when that must be undone."""
        turn, finish = Turn(self.state, self._rows(works)), dict[Work, Finish]()
        with self.state.transaction():
            told = [work.rows for work in works if isinstance(work, Remember | Label)]
            self.state.look_up([turn.rows, *told])
            for work in works:
                try:
                    finish[work] = work.do(turn)
                except Refused as reason:
                    refused[work] = reason
                    if work.changed:
                        raise
            batches = self._answer(turn)
        if batches and self.watch.after and self._loop:
            self._loop.call_soon_threadsafe(self.watch.after, batches)
        return finish

    def _rows(self, works: Sequence[Work]) -> Columns:
        """Make the rows of all requests at once."""
        requests = list[Any]()
        for work in works:
            if isinstance(work, Predict):
                work.start = len(requests)
                requests += work.requests
        return self.api.rows(requests)

    def _answer(self, turn: Turn) -> list[Batch]:
        """Answer the requests of a turn, and keep the answers."""
        if not turn.new:
            return []
        rows = take(turn.rows, np.array(turn.new))
        served = self.versions.choose(rows[self.api.memory.subject].tolist())
        batches, turn.answers = run_each(rows, turn.pasts, served, self.versions)
        if self.watch.before:
            self.watch.before(batches)
        turn.keep_answers()
        return batches
