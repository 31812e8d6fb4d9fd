"""Live answers: each with the past that the server remembers, and remembered before it is given.

Bodies that wait together are worked off together: one look at the state, one run of the graph, one
commit. So the disk is asked once for many, and nobody is told an answer that a crash could undo.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ..contract import Past
from ..history import EVENT
from ..state import State
from .follower import AnyApi, Served

MOST_TOGETHER = 256
"""Rows of bodies that one commit may hold."""


@dataclass(frozen=True)
class Refused:
    """Why an instance of a body is not answered."""

    place: int
    reason: str


@dataclass(frozen=True)
class Answers:
    """The answers to one body, as JSON, and the version that gave them."""

    version: str
    predictions: Sequence[str]


@dataclass(frozen=True)
class Task:
    """What waits for the state: work to do in a transaction, and who waits for its result."""

    size: int
    work: Callable[["Turn"], Callable[[], Any]]
    """Does all that the state must see in order; what it gives is called after the graph ran."""
    done: asyncio.Future[Any]


@dataclass
class Turn:
    """Requests of one transaction, gathered for one run of the graph."""

    served: Served | None = None
    requests: list[Any] = field(default_factory=list)
    pasts: list[Past] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    """Where a request stands, by the name it is remembered by."""
    answers: list[str] = field(default_factory=list)

    def put(self, request: Any, past: Past, name: str) -> int:
        """Gather a request; give its place."""
        self.requests.append(request)
        self.pasts.append(past)
        if name:
            self.places[name] = len(self.requests) - 1
        return len(self.requests) - 1


class Live:
    """The one who reads and writes the state, turn after turn."""

    def __init__(self, api: AnyApi, state: State) -> None:
        self.api, self.state = api, state
        self._waiting: asyncio.Queue[Task] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, "state")

    async def predict(self, served: Served, requests: Sequence[Any]) -> Answers | Refused:
        """Answer requests, with the past that they carry or that is remembered; remember them."""

        def work(turn: Turn) -> Callable[[], Answers | Refused]:
            turn.served = turn.served or served
            found = self._gather(turn, requests)
            if isinstance(found, Refused):
                return lambda: found
            version = turn.served.version
            return lambda: Answers(
                version, [turn.answers[f] if isinstance(f, int) else f for f in found]
            )

        answered: Answers | Refused = await self._put(len(requests), work)
        return answered

    async def remember(self, events: Sequence[Any]) -> int:
        """Remember events; give how many were new."""
        rows = self.api.memory.rows(events)

        def work(_: Turn) -> Callable[[], int]:
            new = sum(self.state.add(rows, place) for place in range(len(events)))
            return lambda: new

        return int(await self._put(len(events), work))

    async def label(self, labels: Sequence[Any]) -> list[int]:
        """Set labels; give the places of those whose event is not remembered."""
        assert self.api.memory.labels is not None  # noqa: S101 - else there is no such route
        rows = self.api.memory.labels(labels)

        def work(_: Turn) -> Callable[[], list[int]]:
            places = [p for p in range(len(labels)) if not self.state.label(rows, p)]
            return lambda: places

        unknown: list[int] = await self._put(len(labels), work)
        return unknown

    async def run(self) -> None:
        """Work off what waits, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            tasks = [await self._waiting.get()]
            while not self._waiting.empty() and sum(task.size for task in tasks) < MOST_TOGETHER:
                tasks.append(self._waiting.get_nowait())
            turn = loop.run_in_executor(self._thread, self._turn, tasks)
            await asyncio.wait([turn])
            error = turn.exception()
            for task, result in zip(tasks, [] if error else turn.result(), strict=not error):
                if not task.done.cancelled():
                    task.done.set_result(result)
            for task in tasks if error else ():
                if not task.done.cancelled():
                    task.done.set_exception(error)  # type: ignore[arg-type]  # it is none

    async def _put(self, size: int, work: Callable[[Turn], Callable[[], Any]]) -> Any:
        done = asyncio.get_running_loop().create_future()
        await self._waiting.put(Task(size, work, done))
        return await done

    def _turn(self, tasks: Sequence[Task]) -> list[Any]:
        """Do tasks in one transaction; what fails undoes all of it."""
        turn = Turn()
        with self.state.transaction():
            finish = [task.work(turn) for task in tasks]
            if turn.requests:
                assert turn.served is not None  # noqa: S101 - who gathered one has set it
                answers = turn.served.predictor.answer(turn.requests, turn.pasts)
                turn.answers = [answer.model_dump_json() for answer in answers]
                kept = {name: turn.answers[place] for name, place in turn.places.items()}
                self.state.keep_answers(kept)
        return [done() for done in finish]

    def _gather(self, turn: Turn, requests: Sequence[Any]) -> list[int | str] | Refused:
        """Give for each request its place in the turn, or the answer that it had before."""
        rows, found = self.api.rows(requests), list[int | str]()
        for place, request in enumerate(requests):
            name = str(rows[EVENT][place])
            if (past := self.api.carried(request)) is not None:
                found.append(turn.put(request, past, ""))
            elif name and (before := turn.places.get(name, self.state.answer(name))) is not None:
                found.append(before)
            elif not self.state.covers(rows, place):
                return Refused(place, "is too old: what came before it is remembered no more")
            else:
                past = self.state.past(rows, place)
                if reason := self.api.lacks(request, past):
                    return Refused(place, reason)
                if name and not self.state.add(rows, place):
                    return Refused(place, "is remembered, but its answer is not kept any more")
                found.append(turn.put(request, past, name))
        return found
