"""Read a JSON body within limits of size and time, and validate it.

FastAPI would parse a body into Python objects first and then validate these; pydantic's own parser
does both at once, in half of the time, and strictly: numbers are not accepted as strings.

At most two large bodies are answered at once: 64 of 1.6 MiB that arrived together stopped the event
loop for 5 s and needed 1.2 GB. Where a thread validates bodies, it takes one after the other.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any, Generic, TypeVar

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from ..contract.task import ReadFile
from ..errors import Unavailable
from ..settings import Settings

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
"""All bodies together; a single one may be larger."""
LATE_SECONDS = 0.1  # for what arrived while the event loop was busy
CLOSE = {"Connection": "close"}
BodyModel = TypeVar("BodyModel", bound=BaseModel)
Parsed = TypeVar("Parsed")


class Bodies:
    """The limits on the bodies of all requests together; `app.state.bodies`."""

    def __init__(
        self,
        settings: Settings,
        max_mb: float,
        thread: Executor | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Take the largest body, unless it is in the settings, and the thread that validates.

        Without a thread, the event loop validates bodies.
        """
        self.settings = settings
        self.max_mb = settings.serve_max_body_mb or max_mb
        self.thread = thread
        self.max_bytes = max_bytes
        self.bytes = 0  # that have arrived for requests which are not answered yet
        self.large = asyncio.Semaphore(LARGE_AT_ONCE)


class read_body(Generic[BodyModel]):  # noqa: N801  a context manager, as `contextlib.suppress`
    """The validated body of a request: JSON, or a file, which becomes instances.

    A large body waits until others are answered, so answer it inside `async with`. That raises

    - HTTPException: 408, it took too long to arrive; 413, it is too large; 415, it is encoded;
    - RequestValidationError: it has another type, or it breaks a rule of `model`;
    - Unavailable: the bodies of all requests are too large together, or this one waits too long.
    """

    def __init__(
        self, request: Request, model: type[BodyModel], others: Mapping[str, ReadFile] | None = None
    ) -> None:
        self.request = request
        parse = partial(model.model_validate_json, strict=True)
        files = {kind: partial(parse_file, model, read) for kind, read in (others or {}).items()}
        self.parsers = {JSON: parse, **files}
        self.bodies: Bodies = request.app.state.bodies
        self.content = bytearray()
        self.is_large = False

    async def __aenter__(self) -> BodyModel:
        """Read and validate the body."""
        headers = self.request.headers
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type not in self.parsers:
            raise invalid(f"must be {' or '.join(self.parsers)}", "header", "content-type")
        if headers.get("content-encoding", "identity").lower() != "identity":
            message = "The body is encoded: send it without Content-Encoding."
            raise HTTPException(415, message, CLOSE)
        try:
            await self._receive()
            if len(self.content) > LARGE and not self.bodies.thread:
                await self._wait_for_slot()
            return await validate(self.request, self.parsers[media_type], self.content)
        except BaseException:  # also when cancelled: Python calls `__aexit__` after an entry only
            await self.__aexit__()
            raise

    async def __aexit__(self, *_: object) -> None:
        """Release the memory and the slot of the body."""
        self.bodies.bytes -= len(self.content)
        if self.is_large:
            self.bodies.large.release()

    async def _wait_for_slot(self) -> None:
        try:
            async with asyncio.timeout(self.bodies.settings.serve_answer_seconds):
                await self.bodies.large.acquire()
        except TimeoutError:
            raise Unavailable("The answer takes too long: retry later.") from None
        self.is_large = True

    async def _receive(self) -> None:
        for seconds in (self.bodies.settings.serve_body_seconds, LATE_SECONDS):
            try:
                async with asyncio.timeout(seconds):
                    return await self._append()
            except TimeoutError:
                continue
            except ClientDisconnect:
                raise HTTPException(400, "The body did not arrive.", CLOSE) from None
        raise HTTPException(408, "The body took too long to arrive.", CLOSE)

    async def _append(self) -> None:
        megabytes = self.bodies.max_mb
        if int(self.request.headers.get("content-length", 0)) <= megabytes * MEGABYTE:
            async for chunk in self.request.stream():
                self.content += chunk
                self.bodies.bytes += len(chunk)
                if len(self.content) > megabytes * MEGABYTE:
                    break
                if self.bodies.max_bytes < self.bodies.bytes > len(self.content):
                    raise Unavailable("The requests in flight are too large together: retry later.")
            else:
                return
        raise HTTPException(413, f"The body is larger than {megabytes:g} MB.", CLOSE)


async def validate(request: Request, parse: Callable[..., Parsed], *values: Any) -> Parsed:
    """Return what a function makes of values; a thread calls it if `Task.slow_requests`."""
    thread = request.app.state.bodies.thread
    try:
        if thread is None:
            return parse(*values)
        return await asyncio.get_running_loop().run_in_executor(thread, parse, *values)
    except ValidationError as error:
        raise RequestValidationError(list_errors(error)) from None


def parse_file(model: type[BodyModel], read: ReadFile, content: bytearray) -> BodyModel:
    """Return the body whose instances are those of a file."""
    try:
        instances = read(bytes(content))
    except ValueError as error:
        raise invalid(str(error), "body") from None
    return model.model_validate({"instances": instances})


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
