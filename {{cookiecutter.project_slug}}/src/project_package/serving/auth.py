"""API keys of requests: `Security(require(scope))` admits a request, or refuses it.

The server sets `app.state.keys` to a `KeyStore`, or to None when keys are off. Dependencies run
before a route reads the body, so a refusal is cheap. How many requests a key may send is limited by
the proxy in front: see deploy/nginx.conf.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import HTTPException, Request

from .. import api_keys
from ..api_keys import Key
from ..bundle import sha256
from ..contract.task import Scope
from ..errors import UserError
from ..settings import Settings

log = logging.getLogger(__name__)
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
"""Both headers in the OpenAPI document. FastAPI's own classes for them cost 26 us a request."""
UNKNOWN = (
    'The request has no API key, or an unknown one: send "Authorization: Bearer KEY" or '
    '"X-API-Key: KEY". The operator of the server creates keys: `ml key NAME --scope {scope}`.'
)


class KeyStore:
    """The keys of a file, which is read again when the last read is older than `seconds`."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.path = path
        self.seconds = seconds
        self._read_file()

    def find_key(self, token: str) -> Key | None:
        """Return the key of a token; None when it is unknown."""
        if time.monotonic() - self._read_at >= self.seconds:
            try:
                self._read_file()
            except UserError as error:
                log.warning("the API keys cannot be read again", extra={"reason": str(error)})
        return self.keys.get(sha256(token.encode()))

    def _read_file(self) -> None:
        self._read_at = time.monotonic()
        self.keys = {key.sha256: key for key in api_keys.read_keys(self.path)}


def open_keys(settings: Settings, root: Path) -> KeyStore | None:
    """Open the key store of the settings; None when keys are off. Warns when there are no keys.

    Raises:
        UserError: the file is damaged.
    """
    path = settings.keys(root)
    if path is None:
        log.warning("API keys are off: every client may use every route")
        return None
    store = KeyStore(path, settings.serve_poll_seconds)
    if not store.keys:
        log.warning("there is no API key in %s: create one with `ml key`", path)
    return store


def require(scope: Scope) -> Callable[..., Awaitable[None]]:
    """Return the dependency that admits keys with this scope, and every request when keys are off.

    It raises HTTPException: 401 without a known key, 403 when the key lacks the scope.
    """

    async def admit(request: Request) -> None:
        keys: KeyStore | None = request.app.state.keys
        if keys is None:
            return
        headers = request.headers
        refused = request.app.state.metrics.refused
        key = keys.find_key(headers.get("x-api-key", ""))
        if key is None:
            scheme, _, token = headers.get("authorization", "").partition(" ")
            key = keys.find_key(token) if scheme.lower() == "bearer" else None
        if key is None:
            refused.labels("auth").inc()
            raise HTTPException(401, UNKNOWN.format(scope=scope), {"WWW-Authenticate": "Bearer"})
        if scope not in key.scopes:
            refused.labels("scope").inc()
            raise HTTPException(403, f"This key lacks the scope {scope}.")

    return admit
