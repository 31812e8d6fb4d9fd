"""Pure ASGI middleware, one concern per class; `add_middleware` has their order."""

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Collection
from functools import cache
from itertools import count

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..settings import Settings
from .log_config import REQUEST_ID
from .prometheus import Metrics

log = logging.getLogger(__name__)
SAFE_ID = re.compile(rb"(?![0-9]*$)[A-Za-z0-9._-]{8,64}")
"""Not digits only: that may be a card number, and ids are logged."""
SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cache-control", b"no-store"),
)
FAILED = "Internal error: find the X-Request-ID of this answer in the server's log."
LOG_SECONDS = 1  # at most one refusal per route and status is logged in this time
BUSY = "The server has too many requests in flight: try again."
RETRY = {"Retry-After": "1"}
GONE_SECONDS = 1.0  # a watch takes a task, and most answers take less
REFUSAL_SECONDS = 1.0
"""Delay of a refusal, since some clients ignore Retry-After. With four times as many connections as
may be in flight, refusals cost two thirds of the throughput without it, at most a sixth with it."""


def add_middleware(
    app: FastAPI, settings: Settings, metrics: Metrics, exempt: Collection[str]
) -> None:
    """Add all middleware, the outermost last; paths in `exempt` have no limit in flight."""
    app.add_middleware(Disconnects)
    app.add_middleware(
        InFlightLimit, limit=settings.serve_max_in_flight, metrics=metrics, exempt=exempt
    )
    app.add_middleware(AccessLog, metrics=metrics)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["Retry-After", "X-Request-ID"],
        )
    app.add_middleware(AnswerHeaders)


class Disconnects:
    """Cancel a request whose client has disconnected, so that what waits for an answer is dropped.

    It waits for the disconnect from some seconds after the body has arrived until the response
    begins; Starlette ends a stream itself. Nobody receives the status 499, which nginx uses too.
    """

    def __init__(self, app: ASGIApp, seconds: float = GONE_SECONDS) -> None:
        self.app = app
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        client = _Client(receive, send, self.seconds)
        try:
            await self.app(scope, client.receive, client.send)
        except asyncio.CancelledError:
            if not client.is_gone:
                raise
            await Response(status_code=499)(scope, receive, send)
        finally:
            client.stop()


class _Client:
    """The client of a request, which is watched from some seconds after its body has arrived."""

    def __init__(self, receive: Receive, send: Send, seconds: float) -> None:
        self.is_gone = False
        self._receive = receive
        self._send = send
        self._seconds = seconds
        self._request = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        if not message.get("more_body"):
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._start)
        return message

    async def send(self, message: Message) -> None:
        self.stop()
        await self._send(message)

    def stop(self) -> None:
        """End the watch."""
        if self._timer:
            self._timer.cancel()
        if self._watch:
            self._watch.cancel()

    def _start(self) -> None:
        self._watch = asyncio.get_running_loop().create_task(self._wait_for_disconnect())

    async def _wait_for_disconnect(self) -> None:
        self.is_gone = (await self._receive())["type"] == "http.disconnect"
        if self.is_gone and self._request:
            self._request.cancel()


class InFlightLimit:
    """Refuse a request with 503, before its body is read, while `limit` others are in flight.

    Bodies that still arrive count. Every 503 is delayed; a request that waits for its 503 does not
    count. Paths in `exempt` are answered at any time, and at once. The proxy in front limits
    request heads, slow clients, and requests per address and per API key.
    """

    def __init__(
        self, app: ASGIApp, limit: int, metrics: Metrics, exempt: Collection[str] = ()
    ) -> None:
        self.app = app
        self.limit = limit
        self.metrics = metrics
        self.exempt = exempt
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
        is_counted = True
        self._count(1)

        async def send_late(message: Message) -> None:
            nonlocal is_counted
            if message.get("status") == 503:  # too many wait, or a service is unavailable
                is_counted = False
                self._count(-1)
                await asyncio.sleep(REFUSAL_SECONDS)
            await send(message)

        try:
            await self.app(scope, receive, send_late)
        finally:
            if is_counted:
                self._count(-1)

    def _count(self, requests: int) -> None:
        self.in_flight += requests
        self.metrics.in_flight.inc(requests)


class AnswerHeaders:
    """Add security headers and the id of the request, its own or a new one, to every answer.

    Log lines have the id too. HSTS and a content security policy are set by the proxy.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._prefix = secrets.token_hex(8).encode()
        self._numbers = count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = next((v for name, v in scope["headers"] if name == b"x-request-id"), b"")
        if not SAFE_ID.fullmatch(request_id):
            request_id = b"%b-%x" % (self._prefix, next(self._numbers))
        REQUEST_ID.set(request_id.decode())

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = (*SECURITY_HEADERS, (b"x-request-id", request_id))
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self.app(scope, receive, send_with_headers)


class AccessLog:
    """Count and time answers by route; log those that refuse or fail, without what was sent.

    A failure is answered with 500 and no details; the error goes on to uvicorn, which logs it.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._requests = cache(metrics.requests.labels)  # each search for labels takes 1 us
        self._seconds = cache(metrics.request_seconds.labels)
        self._logged: dict[tuple[str, int], float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            if not status:
                await JSONResponse({"detail": FAILED}, 500)(scope, receive, watch)
            route = getattr(scope.get("route"), "path", "other")  # the template, found by routing
            self._requests(route, status).inc()
            self._seconds(route).observe(time.perf_counter() - start)
            last = self._logged.get((route, status), -LOG_SECONDS)
            if status >= 400 and time.monotonic() - last >= LOG_SECONDS:
                self._logged[route, status] = time.monotonic()
                event = "failed" if status == 500 else "refused"
                log.warning(event, extra={"route": route, "status": status})
