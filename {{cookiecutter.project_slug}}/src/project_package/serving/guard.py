"""The guard: every request comes through here, before any route sees it.

In: a request. Out: the route's answer with an id and security headers, or a refusal as JSON,
{"detail": "..."}. All are counted; what is refused or fails is logged, with route and status and
nothing of what was sent. It is plain ASGI: a few microseconds a request.
"""

import asyncio
import json
import logging
import re
import secrets
import time
from collections.abc import Sequence
from itertools import count
from typing import Any

from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .direct import Direct
from .door import BUSY, OPEN, STATIC, Door, Entry, Header, Refusal, is_open, retry_after
from .logs import REQUEST_ID
from .metrics import Metrics

log = logging.getLogger(__name__)
SANE_ID = re.compile(rb"(?![0-9]*$)[A-Za-z0-9._-]{8,64}")
"""Not of digits only: that may be the number of a card, and an id goes to the log."""
SECURITY: tuple[Header, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
ANSWER = (
    *SECURITY,
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
PAGE = (
    *SECURITY,
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
)
"""The page /docs has its script and styles inside."""
HSTS = (b"strict-transport-security", b"max-age=31536000")
CLOSE = (b"connection", b"close")
LATE_BODY = Refusal(408, "slow", "body: took too long to arrive.", (CLOSE,))
LATE_ANSWER = Refusal(503, "slow", "The answer took too long: ask again.", (retry_after(0),))
FAILED = Refusal(500, "failed", "The server failed; its log says where, under this request's id.")
MANY = {"auth", "scope", "rate", "busy"}
TELL_SECONDS = 1
"""Of requests that are too many, one line in this time tells; the metric counts them all."""
GONE = 499
"""The status, in log and metric only, of a request whose sender did not wait for it."""


class Visit:
    """A request on its way through, and what was answered."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, door: Door, name: bytes) -> None:
        self.scope, self.door, self.name, self.path = scope, door, name, str(scope["path"])
        self._receive, self._send = receive, send
        self._body: bytes | None = None
        self.status = 0
        self.reason = ""

    async def read(self) -> Refusal | None:
        """Read the whole body; say why not when it is too large."""
        parts, size, more = list[bytes](), 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.status = GONE
                return None
            parts.append(message.get("body", b""))
            size, more = size + len(parts[-1]), message.get("more_body", False)
            if refusal := self.door.measure(size):
                return refusal
        self._body = parts[0] if len(parts) == 1 else b"".join(parts)
        return None

    async def receive(self) -> Message:
        """Give the body that was read, once; then what comes."""
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Message) -> None:
        """Add the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = message["headers"] = list(message.get("headers", ()))
            page = self.path in OPEN and self.path.startswith("/docs")
            headers += PAGE if page or self.path.startswith(STATIC) else ANSWER
            headers.append((b"x-request-id", self.name))
            if self.scope["scheme"] == "https":
                headers.append(HSTS)
            if self.door.closing:
                headers.append(CLOSE)
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal."""
        self.reason = refusal.reason
        body = json.dumps({"detail": refusal.detail}).encode()
        length = str(len(body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        headers += refusal.headers
        start = {"type": "http.response.start", "status": refusal.status, "headers": headers}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})


class Guard:
    """The middleware."""

    def __init__(
        self, app: ASGIApp, door: Door, metrics: Metrics, routes: Sequence[BaseRoute] = ()
    ) -> None:
        """Take the application and its routes: direct ones are reached without detours."""
        self.app, self.door, self.metrics = app, door, metrics
        self._direct = {route.path: route for route in routes if isinstance(route, Direct)}
        self._prefix, self._numbers = secrets.token_hex(8).encode(), count()
        self._told: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whatever happens."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start, headers = time.perf_counter(), dict(scope["headers"])
        visit = Visit(scope, receive, send, self.door, self._name(headers))
        REQUEST_ID.set(visit.name.decode())
        try:
            if refusal := await self._enter(visit, headers):
                await visit.refuse(refusal)
        finally:  # an error goes on to uvicorn, which logs it; who asked is told nothing of it
            if not visit.status:
                await visit.refuse(FAILED)
            self._count(visit, time.perf_counter() - start)

    async def _enter(self, visit: Visit, headers: dict[bytes, bytes]) -> Refusal | None:
        """Let a request in, or say why not; no longer than it may take."""
        is_guarded = not is_open(visit.path) and visit.path != self.door.health
        if is_guarded and (refusal := self.door.refuse(visit.path, headers)):
            return refusal
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - uvicorn answers each request in a task
        entry = Entry(task, time.monotonic() + self.door.limits.body_seconds)
        self.door.entries[id(entry)] = entry
        try:
            if is_guarded and (b"content-length" in headers or b"transfer-encoding" in headers):
                refusal = await visit.read()
                if refusal or visit.status:
                    return refusal
                if self.door.inside >= self.door.limits.inside:  # it was not when the body began
                    return BUSY
            await self._work(visit, entry)
        except asyncio.CancelledError:
            if not entry.expired or visit.status:
                raise
            task.uncancel()
            return LATE_ANSWER if entry.working else LATE_BODY
        finally:
            del self.door.entries[id(entry)]
        return None

    async def _work(self, visit: Visit, entry: Entry) -> None:
        """Let the application answer."""
        entry.working, entry.until = True, time.monotonic() + self.door.limits.answer_seconds
        self.door.inside += 1
        try:
            route = self._direct.get(visit.path) if visit.scope["method"] == "POST" else None
            if route is not None:
                visit.scope["route"] = route
            answer = self.app if route is None else route.answer
            await answer(visit.scope, visit.receive, visit.send)
        finally:
            self.door.inside -= 1

    def _name(self, headers: dict[bytes, bytes]) -> bytes:
        """Give the id that a request brings, if it is one, or a new one."""
        given = headers.get(b"x-request-id", b"")
        return given if SANE_ID.fullmatch(given) else b"%b-%x" % (self._prefix, next(self._numbers))

    def _count(self, visit: Visit, seconds: float) -> None:
        """Count an answer; tell of one that is none."""
        known: Any = visit.scope.get("route")
        route = known.path if known else visit.path if visit.path in self._paths(visit) else "other"
        self.metrics.count(route, visit.status, seconds)
        if visit.status < 400:
            return
        now, reason = time.monotonic(), visit.reason
        if reason:
            self.metrics.refused[reason] += 1
        if reason in MANY and now - self._told.get(reason, 0) < TELL_SECONDS:
            return
        self._told[reason] = now
        told = {"route": route, "status": visit.status, "reason": reason or "route"}
        log.warning("refused", extra=told)

    def _paths(self, visit: Visit) -> set[str]:
        """Give the paths of the routes."""
        return {route.path for route in visit.scope["app"].routes}
