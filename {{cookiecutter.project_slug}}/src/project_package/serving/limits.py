"""Limits of requests: how many are in flight, and how many a key may send in a second.

The proxy in front limits request heads, slow clients and requests per address.
"""

import asyncio
import time
from collections.abc import Callable, Collection

from fastapi import HTTPException, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .metrics import Metrics

REFUSAL_SECONDS = 1.0
"""Delay of a refusal, since some clients ignore Retry-After. With four times as many connections as
may be in flight, refusals cost two thirds of the throughput without it, at most a sixth with it."""
RETRY = {"Retry-After": "1"}
BUSY = "The server has too many requests in flight: try again."


class InFlightLimit:
    """Refuse a request with 503, before its body is read, while `limit` others are in flight.

    Bodies that still arrive count. Every 503 is delayed; a request that waits for its 503 does not
    count. Paths in `exempt` are answered at any time, and at once.
    """

    def __init__(
        self, app: ASGIApp, limit: int, metrics: Metrics, exempt: Collection[str] = ()
    ) -> None:
        self.app, self.limit, self.metrics, self.exempt = app, limit, metrics, exempt
        self.in_flight = 0
        self._refusal = JSONResponse({"detail": BUSY}, 503, RETRY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in self.exempt:
            await self.app(scope, receive, send)
        elif self.in_flight >= self.limit:
            self.metrics.refused.labels("busy").inc()
            await asyncio.sleep(REFUSAL_SECONDS)
            await self._refusal(scope, receive, send)
        else:
            await self._admit(scope, receive, send)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        counts = 1

        async def send_late(message: Message) -> None:
            nonlocal counts
            if message.get("status") == 503:  # too many wait for a service, or it is unavailable
                self._count(-counts)
                counts = 0
                await asyncio.sleep(REFUSAL_SECONDS)
            await send(message)

        self._count(counts)
        try:
            await self.app(scope, receive, send_late)
        finally:
            self._count(-counts)

    def _count(self, requests: int) -> None:
        self.in_flight += requests
        self.metrics.in_flight.inc(requests)


class RateLimit:
    """A token bucket per key: `rate` requests a second, in bursts of as many."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate, self._clock = rate, clock
        self._buckets: dict[str, tuple[float, float]] = {}  # tokens, and when they were counted

    def take(self, key: str) -> float:
        """Take a token of this key; return the seconds until there is one, 0 if there was."""
        now, size = self._clock(), max(self.rate, 1.0)
        tokens, since = self._buckets.get(key, (size, now))
        tokens = min(tokens + (now - since) * self.rate, size)
        if tokens < 1:
            return (1 - tokens) / self.rate
        self._buckets[key] = (tokens - 1, now)
        return 0


def limit_rate(request: Request) -> None:
    """Raise HTTPException 429 when the key of a request makes too many; `require` calls this."""
    limit: RateLimit | None = request.app.state.rate_limit  # None: no limit
    if limit is not None and (seconds := limit.take(request.state.key)):
        request.app.state.metrics.refused.labels("rate").inc()
        detail = f"This key made more than {limit.rate:g} requests a second."
        raise HTTPException(429, detail, {"Retry-After": str(int(seconds) + 1)})
