"""The limit of requests in flight.

The proxy in front limits request heads, slow clients, and requests per address and per API key.
"""

import asyncio
from collections.abc import Collection

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
