"""The parts of the server, put together; the routes work with them.

A request that brings its past is answered in the event loop: a row takes tens of microseconds, less
than a thread would cost. What the state must know goes through `Live`, many requests at a time.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from fastapi.exceptions import RequestValidationError

from ..state.base import State
from ..model_store import CHALLENGER, CHAMPION, Store
from .batch import Answers, Batch, Versions, Watch
from .door import Door, Limits
from .follower import AnyApi, Follower, Served
from .live import Live
from .metrics import Metrics
from .outbox import Log
from .problems import RETRY_SECONDS
from .shadow import Shadow
from .together import Together
from .work import Refused
from .workers import Board


@dataclass(frozen=True)
class Options:
    """What a server may have beside model and state."""

    follow_seconds: float = 2
    """How often it looks for other versions and other keys."""
    door: Door | None = None
    """None lets everybody in."""
    log: Log | None = None
    """None logs no prediction."""
    canary: float = 0
    """Share of subjects (0 to 1) that the challenger answers."""
    routes: tuple[str, str] = ("", "")
    """Of Vertex AI: to predict, and to ask how the server is."""
    board: str = ""
    """File of the numbers of one of several processes."""


class Services:
    """All parts of one server."""

    def __init__(self, api: AnyApi, store: Store, state: State, options: Options) -> None:
        self.api, self.options, self.log = api, options, options.log
        self.champion = Follower(api, store, CHAMPION)
        self.challenger = Follower(api, store, CHALLENGER, optional=True)
        self.door = options.door or Door(None, Limits())
        self.shadow = Shadow(self.challenger, self.log.record if self.log else None)
        followers = (self.champion, self.challenger)
        outbox = self.log.outbox if self.log else None
        versions = Versions(self.champion, self.challenger, options.canary)
        watch = Watch(self.log.record.write if self.log else None, self._tell)
        self.together = Together(api, versions, watch)
        self.live = live = Live(api, state, versions, watch, max(1, self.door.limits.inside // 2))
        self.metrics = Metrics(
            followers, self.door, state.size, lambda: live.away, self.shadow, outbox
        )
        self.board = Board(options.board, self.metrics.text) if options.board else None

    def _tell(self, batches: Sequence[Batch]) -> None:
        """Tell metrics and shadow of answers that are given."""
        for batch in batches:
            self.metrics.observe(batch.served.version, batch.signals)
        self.shadow.tell(batches)

    def ready(self) -> Served:
        """Give the version that answers, or answer 503 with the reason."""
        if self.champion.served is None:
            reason = self.champion.refused or self.told(self.champion.unreachable)
            raise HTTPException(503, reason, {"Retry-After": str(RETRY_SECONDS)})
        return self.champion.served

    def told(self, reason: str) -> str:
        """Give a reason that names addresses: to nobody where keys are asked for."""
        return reason if self.door.keys is None or not reason else "The server's log says why."

    async def answer(self, instances: Sequence[Any]) -> Answers:
        """Answer instances; 422 for one that lacks its past, 503 while nobody can answer."""
        self.ready()
        pasts = [self.api.carried(instance) for instance in instances]
        if None not in pasts:
            return await self.together.answer(instances, [past or {} for past in pasts])
        try:
            return await self.live.answer(instances, pasts)
        except Refused as refused:
            told = {"loc": ("body", "instances", refused.place), "msg": refused.reason}
            raise RequestValidationError([{**told, "type": "past"}]) from refused

    @asynccontextmanager
    async def working(self, _: object) -> AsyncIterator[None]:
        """Let every part work while the application runs; in the end, finish what waits."""
        seconds = self.options.follow_seconds
        works: list[Coroutine[Any, Any, None]] = [self.live.run(), self.live.look(seconds)]
        works.append(self.door.sweep())
        works += [follower.follow(seconds) for follower in (self.champion, self.challenger)]
        if self.door.keys is not None:
            works.append(self.door.keys.follow(seconds))
        if self.log:
            works.append(self.log.outbox.run())
        works += [self.board.run()] if self.board else []
        tasks = [asyncio.create_task(work) for work in works]
        yield
        await self.live.finish()
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self.shadow.close()
