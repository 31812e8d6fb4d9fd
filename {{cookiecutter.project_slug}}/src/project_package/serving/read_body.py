"""Read a JSON body within limits of size and time, and validate it.

FastAPI would parse a body into Python objects first and then validate these; pydantic's own parser
does both at once, in half of the time, and strictly: numbers are not accepted as strings.

Large bodies are answered one after the other. 64 of 1.6 MiB that arrived together stopped the event
loop for 5 s and needed 1.2 GB.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from ..errors import Unavailable

JSON = "application/json"
MEGABYTE = 2**20
MAX_ERRORS = 100
"""Of more errors, only the number is reported: to list 450,000 takes seconds."""
MAX_NAME = 100
"""Characters of an unknown field's name in an answer."""
LARGE = 64 * 1024
"""Bytes of a large body."""
LARGE_AT_ONCE = 2
"""Large bodies that are validated and answered at once: they need ten times their size."""
MAX_BYTES = 192 * MEGABYTE
"""All bodies together, unless a single one may be larger."""
LATE_SECONDS = 0.1
CLOSE = {"Connection": "close"}
BodyModel = TypeVar("BodyModel", bound=BaseModel)
Parsed = TypeVar("Parsed")


class Bodies:
    """What the bodies of all requests have in common; `app.state.bodies`."""

    def __init__(self, thread: Executor | None, max_bytes: int = MAX_BYTES) -> None:
        """Take the thread that validates bodies; the event loop does it without one."""
        self.thread = thread
        self.max_bytes = max_bytes
        self.bytes = 0  # that have arrived for requests which are not answered yet
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    @asynccontextmanager
    async def turn(self, seconds: float) -> AsyncIterator[None]:
        """Wait for the turn of a large body; raise Unavailable when it takes too long."""
        try:
            async with asyncio.timeout(seconds):
                await self._large.acquire()
        except TimeoutError:
            raise Unavailable("The answer takes too long: retry later.") from None
        try:
            yield
        finally:
            self._large.release()


@asynccontextmanager
async def read_body(
    request: Request, model: type[BodyModel], others: Mapping[str, str] | None = None
) -> AsyncIterator[BodyModel]:
    """Validate the body of a request: JSON, or of a type that fills a field of an instance.

    A large body waits until others are answered, so answer it inside `async with`.

    Raises:
        HTTPException: 408, it took too long to arrive; 413, it is too large; 415, it is encoded.
        RequestValidationError: it has another type, or it breaks a rule of `model`.
        Unavailable: the bodies of all requests are too large together.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    fields = {JSON: "", **(others or {})}
    if media_type not in fields:
        raise invalid(f"must be {' or '.join(fields)}", "header", "content-type")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "The body is encoded: send it without Content-Encoding.", CLOSE)
    bodies: Bodies = request.app.state.bodies
    content = bytearray()
    try:
        await _receive(request, content)
        seconds = request.app.state.settings.serve_answer_seconds
        async with bodies.turn(seconds) if len(content) > LARGE else nullcontext():
            if name := fields[media_type]:
                instances = [{name: bytes(content)}]
                yield await validate(request, model.model_validate, {"instances": instances})
            else:
                parse = partial(model.model_validate_json, strict=True)
                yield await validate(request, parse, content)
    finally:
        bodies.bytes -= len(content)


async def validate(request: Request, parse: Callable[..., Parsed], *values: Any) -> Parsed:
    """Return what a function makes of values; a thread calls it if `Task.slow_requests`."""
    thread = request.app.state.bodies.thread
    try:
        if thread is None:
            return parse(*values)
        return await asyncio.get_running_loop().run_in_executor(thread, parse, *values)
    except ValidationError as error:
        raise RequestValidationError(list_errors(error)) from None


async def _receive(request: Request, content: bytearray) -> None:
    """Append what arrives to `content`, until the end of the body."""
    for seconds in (request.app.state.settings.serve_body_seconds, LATE_SECONDS):
        try:
            async with asyncio.timeout(seconds):
                await _append(request, content)
                return
        except TimeoutError:  # the event loop may have been busy while the rest arrived
            continue
        except ClientDisconnect:
            raise HTTPException(400, "The body did not arrive.", CLOSE) from None
    raise HTTPException(408, "The body took too long to arrive.", CLOSE)


async def _append(request: Request, content: bytearray) -> None:
    megabytes = request.app.state.settings.serve_max_body_mb
    bodies: Bodies = request.app.state.bodies
    if int(request.headers.get("content-length", 0)) <= megabytes * MEGABYTE:
        async for chunk in request.stream():
            content += chunk
            bodies.bytes += len(chunk)
            if len(content) > megabytes * MEGABYTE:
                break
            if bodies.bytes > max(bodies.max_bytes, megabytes * MEGABYTE):
                raise Unavailable("The requests in flight are too large together: retry later.")
        else:
            return
    raise HTTPException(413, f"The body is larger than {megabytes:g} MB.", CLOSE)


def invalid(message: str, *location: int | str) -> RequestValidationError:
    """Return the error of one part of a request, at a location such as ("body", "instances", 0)."""
    return RequestValidationError([{"loc": location, "msg": message, "type": "value_error"}])


def list_errors(error: ValidationError, *within: str) -> list[dict[str, Any]]:
    """List the errors of a body, without its values; of too many only the number."""
    location = ("body", *within)
    if (count := error.error_count()) > MAX_ERRORS:
        return [{"loc": location, "msg": f"has {count:,} errors", "type": "too_many_errors"}]
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    for item in errors:
        within_body = (part[:MAX_NAME] if isinstance(part, str) else part for part in item["loc"])
        item["loc"] = (*location, *within_body)
    return [dict(item) for item in errors]
