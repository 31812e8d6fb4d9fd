"""The OpenAPI document says what the guard does: the keys that are asked for, and each refusal."""

from typing import Any

from fastapi import FastAPI

from .door import is_open

SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
DETAIL = {"type": "object", "required": ["detail"], "properties": {"detail": {"type": "string"}}}
GUARDED = {
    "401": "No key, or an unknown one",
    "403": "The key lacks the scope",
    "429": "Too many requests of this key: Retry-After says when to ask again",
}
WITH_BODY = {"408": "The body took too long to arrive", "413": "The body is too large"}
ALWAYS = {"503": "Not ready, or too much to do"}


def describe(app: FastAPI, keys: bool) -> None:
    """Add that to the document, which is made when somebody asks for it."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            if keys:
                document.setdefault("components", {})["securitySchemes"] = SCHEMES
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    _add(operation, guarded=not is_open(path), keys=keys)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def _add(operation: dict[str, Any], guarded: bool, keys: bool) -> None:
    """Add to one operation what may be answered before its route is reached."""
    told = ALWAYS | (GUARDED if guarded else {})
    if "requestBody" in operation:
        told |= WITH_BODY
    if keys and guarded:
        operation["security"] = [{name: []} for name in SCHEMES]
    for status, description in told.items():
        content = {"application/json": {"schema": DETAIL}}
        operation["responses"].setdefault(status, {"description": description, "content": content})
