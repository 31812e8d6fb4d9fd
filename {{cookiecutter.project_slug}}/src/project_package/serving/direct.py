"""A route whose body goes straight from bytes to its type, in pydantic's own JSON parser.

FastAPI reads a body into Python objects and then validates these, and resolves dependencies, which
these routes have none of. Leaving that out saves half of the time of a small request. What the
document says of the route stays FastAPI's, and is meant to the letter: a number is no text.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

JSON = "application/json"
MOST_TOLD, MOST_LISTED = 100, 10_000
"""Mistakes of one body that are told, and that are looked at."""


class Direct(APIRoute):
    """A route with one parameter, `body`, that gives a model or a finished response."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give the function that answers a request.

        It raises RequestValidationError for a body of another content type, or one that breaks a
        rule.
        """
        endpoint = self.endpoint
        body_type: type[BaseModel] = self.body_field.field_info.annotation  # type: ignore[union-attr, assignment]

        async def handle(request: Request) -> Response:
            if not _is_json(request.headers.get("content-type", "")):
                raise RequestValidationError([_mistake((), f"must be {JSON}", "content_type")])
            try:
                body = body_type.model_validate_json(await request.body(), strict=True)
            except ValidationError as error:
                raise RequestValidationError(_mistakes(error)) from None
            answer = await endpoint(body)
            if isinstance(answer, Response):
                return answer
            return Response(answer.model_dump_json(), media_type=JSON)

        return handle


def _is_json(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == JSON


def _mistakes(error: ValidationError) -> list[dict[str, Any]]:
    """Give the first mistakes of a body; of far too many, which take seconds to list, the number.

    What was sent is not among them, but for the name of an unknown field.
    """
    if (count := error.error_count()) > MOST_LISTED:
        return [_mistake((), f"has {count:,} mistakes", "too_many")]
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [_mistake(e["loc"], e["msg"], e["type"]) for e in found[:MOST_TOLD]]


def _mistake(place: tuple[int | str, ...], message: str, kind: str) -> dict[str, Any]:
    return {"loc": ("body", *place), "msg": message, "type": kind}
