"""A route whose body goes straight from bytes to its type, in pydantic's own JSON parser.

FastAPI reads a body into Python objects and then validates these, resolves dependencies, which
these routes have none of, and closes what they opened. Leaving that out saves half of the time of a
small request. What the document says of the route stays FastAPI's, and is meant to the letter: a
number is no text.
"""

from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from .problems import PROBLEMS, response

JSON = "application/json"
HEADER = (b"content-type", JSON.encode())
MOST_TOLD, MOST_LISTED = 100, 10_000
"""Mistakes of one body that are told, and that are looked at."""


class Direct(APIRoute):
    """A route that, if it has a body, takes it as `body`, and texts of its path; nothing else.

    It gives a model or JSON.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.body_field is not None:
            self._type: type[BaseModel] = self.body_field.field_info.annotation  # type: ignore[assignment]
            self.app = self.answer

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; this is a whole ASGI application, and fails as one only by mistake."""
        try:
            content = await self._content(scope, receive)
        except PROBLEMS as problem:
            await response(problem)(scope, receive, send)
            return
        length = (b"content-length", str(len(content)).encode())
        start = {"type": "http.response.start", "status": 200, "headers": [HEADER, length]}
        await send(start)
        await send({"type": "http.response.body", "body": content})

    async def _content(self, scope: Scope, receive: Receive) -> bytes:
        """Give what the endpoint answers to the body.

        Raises:
            RequestValidationError: it is of another content type, or breaks a rule.
        """
        types = [value for name, value in scope["headers"] if name == b"content-type"]
        if not types or types[0].partition(b";")[0].strip().lower() != JSON.encode():
            raise RequestValidationError([mistake((), f"must be {JSON}", "content_type")])
        try:
            body = self._type.model_validate_json(await _body(receive), strict=True)
        except ValidationError as error:
            raise RequestValidationError(mistakes(error)) from None
        answer: BaseModel | str = await self.endpoint(body, **scope.get("path_params", {}))
        return (answer if isinstance(answer, str) else answer.model_dump_json()).encode()


async def _body(receive: Receive) -> bytes:
    """Read all of a body."""
    parts, more = list[bytes](), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def mistakes(error: ValidationError, *within: str) -> list[dict[str, Any]]:
    """Give the first mistakes of a body; of far too many, which take seconds to list, the number.

    What was sent is not among them, but for the name of an unknown field.
    """
    if (count := error.error_count()) > MOST_LISTED:
        return [mistake(within, f"has {count:,} mistakes", "too_many")]
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [mistake((*within, *e["loc"]), e["msg"], e["type"]) for e in found[:MOST_TOLD]]


def mistake(place: tuple[int | str, ...], message: str, kind: str) -> dict[str, Any]:
    """Give a mistake as an answer tells it."""
    return {"loc": ("body", *place), "msg": message, "type": kind}
