"""Who asks: the key of a request, found among those of the file, which may change at any time."""

import asyncio
import hmac
import logging
from collections.abc import Mapping
from pathlib import Path

from ..errors import UserError
from ..api_keys import Key, digest, read

log = logging.getLogger(__name__)
BEARER = b"bearer "


class Ring:
    """The keys that are valid now."""

    def __init__(self, path: Path) -> None:
        """Read the file; raise UserError when it is damaged."""
        self.path = path
        self._seen = self._stamp()
        self._keys = _prepared(read(path))

    def find(self, headers: Mapping[bytes, bytes]) -> Key | None:
        """Give the key that a request presents; None when it is not known.

        Every key is compared, each in constant time: how long it takes tells nothing.
        """
        given = headers.get(b"authorization", b"")
        bearer = given[: len(BEARER)].lower() == BEARER
        token = given[len(BEARER) :].strip() if bearer else headers.get(b"x-api-key", b"")
        presented, found = digest(token), None
        for known, key in self._keys:
            if hmac.compare_digest(known, presented):
                found = key
        return found

    def check(self) -> None:
        """Read the file again when it has changed; a damaged one leaves the keys as they are."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._keys = _prepared(read(self.path))
            log.info("keys are read", extra={"names": [key.name for _, key in self._keys]})
        except UserError as error:
            log.warning("keys stay as they were", extra={"reason": str(error)})

    async def follow(self, seconds: float) -> None:
        """Look again and again, in a thread, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.check)

    def _stamp(self) -> tuple[int, ...]:
        """Tell one state of the file from another; nothing when there is no file."""
        try:
            found = self.path.stat()
        except OSError:
            return ()
        return found.st_mtime_ns, found.st_size, found.st_ino


def _prepared(keys: tuple[Key, ...]) -> list[tuple[bytes, Key]]:
    return [(bytes.fromhex(key.sha256), key) for key in keys]
