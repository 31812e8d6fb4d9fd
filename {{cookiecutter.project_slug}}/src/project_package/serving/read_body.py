"""Read a JSON body within limits of size and time, and validate it.

FastAPI would parse a body into Python objects first and then validate these; pydantic's own parser
does both at once, in half of the time, and strictly: numbers are not accepted as strings.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

JSON = "application/json"
MEGABYTE = 2**20
MAX_ERRORS = 100
"""Of more errors, only the number is reported: to list 450,000 takes seconds."""
MAX_NAME = 100
"""Characters of an unknown field's name in an answer."""
CLOSE = {"Connection": "close"}
BodyModel = TypeVar("BodyModel", bound=BaseModel)
Parsed = TypeVar("Parsed")


async def read_body(
    request: Request, model: type[BodyModel], others: Mapping[str, str] | None = None
) -> BodyModel:
    """Return the validated body of a request: JSON, or of a type that fills a field of an instance.

    Raises:
        HTTPException: 408, it took too long to arrive; 413, it is too large.
        RequestValidationError: it has another type, or it breaks a rule of `model`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    fields = {JSON: "", **(others or {})}
    if media_type not in fields:
        raise invalid(f"must be {' or '.join(fields)}", "header", "content-type")
    try:
        async with asyncio.timeout(request.app.state.settings.serve_body_seconds):
            content = await _read_content(request)
    except TimeoutError:
        raise HTTPException(408, "The body took too long to arrive.", CLOSE) from None
    except ClientDisconnect:
        raise HTTPException(400, "The body did not arrive.", CLOSE) from None
    if name := fields[media_type]:
        return await validate(request, model.model_validate, {"instances": [{name: content}]})
    return await validate(request, partial(model.model_validate_json, strict=True), content)


async def validate(request: Request, parse: Callable[..., Parsed], *values: Any) -> Parsed:
    """Return what a function makes of values; a thread calls it if `Task.slow_requests`."""
    thread = request.app.state.thread
    try:
        if thread is None:
            return parse(*values)
        return await asyncio.get_running_loop().run_in_executor(thread, parse, *values)
    except ValidationError as error:
        raise RequestValidationError(list_errors(error)) from None


async def _read_content(request: Request) -> bytes:
    megabytes = request.app.state.settings.serve_max_body_mb
    content = bytearray()
    if int(request.headers.get("content-length", 0)) <= megabytes * MEGABYTE:
        async for chunk in request.stream():
            content += chunk
            if len(content) > megabytes * MEGABYTE:
                break
        else:
            return bytes(content)
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
