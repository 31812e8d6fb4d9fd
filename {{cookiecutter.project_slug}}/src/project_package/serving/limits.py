"""Limits of requests: how many are in flight, how long each may take, how many per key and second.

Request heads, slow clients and limits per address are the part of the proxy in front.
"""

import asyncio
import time
from collections.abc import Callable, Collection

from fastapi import HTTPException, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .metrics import Metrics

REFUSAL_SECONDS = 1.0
"""Clients that ignore Retry-After would ask again at once. With four times as many connections as
may be in flight, refusals cost two thirds of the throughput without this sleep, a third with it."""
MOST_REFUSING = 4_096
"""Refusals that sleep at once; further ones are sent without a sleep."""
RETRY = {"Retry-After": "1"}
BUSY = "The server has too many requests in flight: try again."
SLOW = "The answer took too long: try again."


class InFlightLimit:
    """Refuse a request with 503, before its body is read, while `limit` others are in flight.

    A request is in flight from its head on, so bodies that still arrive count. Paths in `exempt`
    are answered at any time.
    """

    def __init__(
        self, app: ASGIApp, limit: int, metrics: Metrics, exempt: Collection[str] = ()
    ) -> None:
        self.app, self.limit, self.metrics = app, limit, metrics
        self.exempt = frozenset(exempt)
        self.in_flight = self.refusing = 0
        self._refusal = JSONResponse({"detail": BUSY}, 503, RETRY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in self.exempt:
            await self.app(scope, receive, send)
        elif self.in_flight < self.limit:
            self.in_flight += 1
            self.metrics.in_flight.inc()
            try:
                await self.app(scope, receive, send)
            finally:
                self.in_flight -= 1
                self.metrics.in_flight.dec()
        else:
            self.metrics.refused.labels("busy").inc()
            self.refusing += 1
            try:
                await asyncio.sleep(REFUSAL_SECONDS if self.refusing <= MOST_REFUSING else 0)
                await self._refusal(scope, receive, send)
            finally:
                self.refusing -= 1


class AnswerTimeout:
    """Answer 503 when nothing is sent within `seconds`; an answer that has begun may take its time.

    The application is cancelled where it waits. An event that was stored stays stored: the same
    request, sent again, gets its answer.
    """

    def __init__(self, app: ASGIApp, seconds: float, metrics: Metrics) -> None:
        self.app, self.seconds, self.metrics = app, seconds, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on for so long."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def watch(message: Message) -> None:
            if not timeout.expired():
                timeout.reschedule(None)
            await send(message)

        try:
            async with asyncio.timeout(self.seconds) as timeout:
                await self.app(scope, receive, watch)
        except TimeoutError:
            if not timeout.expired():
                raise
            self.metrics.refused.labels("slow").inc()
            await JSONResponse({"detail": SLOW}, 503, RETRY)(scope, receive, send)


class RateLimit:
    """A token bucket per key: `rate` requests a second, in bursts of as many."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self._clock = rate, clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> float:
        """Take a token of this key; return the seconds until there is one, 0 if there was."""
        now, size = self._clock(), max(self.rate, 1.0)
        tokens, since = self._buckets.get(key, (size, now))
        tokens = min(tokens + (now - since) * self.rate, size)
        self._buckets[key] = (tokens - (tokens >= 1), now)
        return 0 if tokens >= 1 else (1 - tokens) / self.rate


async def limit_rate(request: Request) -> None:
    """Refuse a key that makes too many requests; `require` calls it.

    `app.state.rate_limit` is the `RateLimit`; None limits nobody.

    Raises:
        HTTPException: 429, with the seconds to wait.
    """
    limit: RateLimit | None = request.app.state.rate_limit
    if limit is not None and (seconds := limit.take(request.state.key)):
        request.app.state.metrics.refused.labels("rate").inc()
        detail = f"This key made more than {limit.rate:g} requests a second."
        raise HTTPException(429, detail, {"Retry-After": str(int(seconds) + 1)})
