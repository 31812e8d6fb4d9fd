"""Pure ASGI middleware, one concern per class; `add_middleware` has their order."""

import logging
import re
import secrets
import time
from collections.abc import Collection
from itertools import count

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..settings import Settings
from .limits import AnswerTimeout, InFlightLimit
from .log_config import REQUEST_ID
from .metrics import Metrics

log = logging.getLogger(__name__)
SANE_ID = re.compile(rb"(?![0-9]*$)[A-Za-z0-9._-]{8,64}")
"""Not digits only: that may be a card number, and ids are logged."""
COMMON = ((b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"DENY"))
ANSWER_HEADERS = (
    *COMMON,
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
PAGE_HEADERS = (
    *COMMON,
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
)
"""The page /docs has inline scripts and styles."""
PAGES = ("/docs", "/static-offline-docs/")
HSTS = (b"strict-transport-security", b"max-age=31536000")
FAILED = "The server failed; its log says where, under the X-Request-ID of this answer."
LOG_SECONDS = 1
"""Of refusals with one route and status, one line per so many seconds is logged."""


def add_middleware(
    app: FastAPI, settings: Settings, metrics: Metrics, exempt: Collection[str]
) -> None:
    """Add all middleware: a request passes the one that is added last first.

    Paths in `exempt` are answered however many requests are in flight.
    """
    app.add_middleware(AnswerTimeout, seconds=settings.serve_answer_seconds, metrics=metrics)
    app.add_middleware(
        InFlightLimit, limit=settings.serve_max_in_flight, metrics=metrics, exempt=exempt
    )
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["Retry-After", "X-Request-ID"],
        )
    app.add_middleware(AccessLog, metrics=metrics)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestId)


class RequestId:
    """Accept the id that a request brings or create one; log lines and the answer have it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._prefix, self._numbers = secrets.token_hex(8).encode(), count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Set the id and pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = dict(scope["headers"]).get(b"x-request-id", b"")
        if not SANE_ID.fullmatch(name):
            name = b"%b-%x" % (self._prefix, next(self._numbers))
        REQUEST_ID.set(name.decode())
        await self.app(scope, receive, _with_headers(send, ((b"x-request-id", name),)))


class SecurityHeaders:
    """Add the headers that tell browsers to keep to themselves what the server sends."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = PAGE_HEADERS if scope["path"].startswith(PAGES) else ANSWER_HEADERS
        if scope["scheme"] == "https":
            headers = (*headers, HSTS)
        await self.app(scope, receive, _with_headers(send, headers))


def _with_headers(send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> Send:
    async def add(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *headers]
        await send(message)

    return add


class AccessLog:
    """Count and time answers by route; log those that refuse or fail, without what was sent.

    A failure is answered with 500 and no details; the error goes on to uvicorn, which logs it.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics
        self._logged: dict[tuple[str, int], float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

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
            self._record(scope, status, time.perf_counter() - start)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")  # the template, as routing found it
        self.metrics.requests.labels(route, status).inc()
        self.metrics.request_seconds.labels(route).observe(seconds)
        now = time.monotonic()
        if status < 400 or now - self._logged.get((route, status), -LOG_SECONDS) < LOG_SECONDS:
            return
        self._logged[route, status] = now
        event = "failed" if status == 500 else "refused"
        log.warning(event, extra={"route": route, "status": status})
