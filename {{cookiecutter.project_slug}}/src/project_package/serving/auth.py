"""API keys of requests: `Security(require(scope))` admits a request, or refuses it with 401 or 403.

The server sets `app.state.keys` to a `KeyStore`, or to None when keys are off, and
`app.state.metrics`. Dependencies run before a route reads the body, so a refusal is cheap.
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import HTTPException, Request

from .. import api_keys
from ..api_keys import Key, Scope
from ..errors import UserError
from ..settings import Settings
from .limits import limit_rate

log = logging.getLogger(__name__)
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
"""Both headers, as the OpenAPI document describes them. FastAPI's classes for them would do that
too, as dependencies of `require`, but cost 26 us a request."""
UNKNOWN = (
    'The request has no API key, or an unknown one: send "Authorization: Bearer KEY" or '
    '"X-API-Key: KEY". The operator of the server creates keys: `ml key NAME --scope {scope}`.'
)


class KeyStore:
    """The keys of a file, read again when the file changes."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            UserError: it is damaged.
        """
        self.path = path
        self._version = self._file_version()
        self._keys = _with_digests(api_keys.read(path))

    def find(self, token: str) -> Key | None:
        """Return the key of a token; every key is compared, each in constant time."""
        digest, found = api_keys.digest(token.encode()), None
        for known, key in self._keys:
            if hmac.compare_digest(known, digest):
                found = key
        return found

    def refresh(self) -> None:
        """Read the file again if it has changed; a damaged file leaves the keys as they are."""
        version = self._file_version()
        if version == self._version:
            return
        self._version = version
        try:
            self._keys = _with_digests(api_keys.read(self.path))
            log.info("read API keys", extra={"names": [key.name for _, key in self._keys]})
        except UserError as error:
            log.warning("kept the API keys as they were", extra={"reason": str(error)})

    async def follow(self, seconds: float) -> None:
        """Refresh every so many seconds, in a thread, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.refresh)

    def _file_version(self) -> tuple[int, ...]:
        """Return what changes whenever the file does; empty when there is no file."""
        try:
            found = self.path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino


def _with_digests(keys: tuple[Key, ...]) -> list[tuple[bytes, Key]]:
    return [(bytes.fromhex(key.sha256), key) for key in keys]


def open_keys(settings: Settings, root: Path) -> KeyStore | None:
    """Open the key store of the settings; None when keys are off. Warns when nobody has a key.

    Raises:
        UserError: the file is damaged.
    """
    path = settings.keys(root)
    if path is None:
        log.warning("API keys are off: whoever reaches this server may use every route")
        return None
    if not api_keys.read(path):
        log.warning("there is no API key: create one with `ml key NAME --scope predict`")
    return KeyStore(path)


def require(scope: Scope) -> Callable[..., Awaitable[None]]:
    """Return the dependency that admits keys with this scope, and everybody when keys are off.

    It sets `request.state.key` to the key's name, which is empty when keys are off. The dependency
    raises HTTPException: 401 without a known key, 403 when the key lacks the scope, 429 when the
    key makes too many requests. It is one dependency, since each costs 7 us a request.
    """

    async def check(request: Request) -> None:
        request.state.key = admit(request, scope)
        await limit_rate(request)

    return check


def admit(request: Request, scope: Scope) -> str:
    """Return the name of a request's key, empty when keys are off; raise 401 or 403 without one."""
    keys: KeyStore | None = request.app.state.keys
    if keys is None:
        return ""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    tokens = (bearer if scheme.lower() == "bearer" else "", request.headers.get("x-api-key"))
    key = next((key for token in tokens if token and (key := keys.find(token))), None)
    refused = request.app.state.metrics.refused
    if key is None:
        refused.labels("auth").inc()
        raise HTTPException(401, UNKNOWN.format(scope=scope), {"WWW-Authenticate": "Bearer"})
    if scope not in key.scopes:
        refused.labels("scope").inc()
        raise HTTPException(403, f"This key lacks the scope {scope}.")
    return key.name
