"""Who is let in: what a path needs, what a key may, how much at once; the words of a refusal."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..api_keys import Scope
from ..settings import Settings
from .keys import Ring

OPEN = {"/healthz", "/readyz", "/ping", "/docs", "/docs/oauth2-redirect", "/openapi.json"}
STATIC = "/static-offline-docs/"
"""Where the files of /docs lie, which are open too."""
SCOPES: Mapping[str, Scope] = {
    "/v1/labels": "labels",
    "/v1/events": "labels",
    "/metrics": "admin",
    "/v1/model": "admin",
}
"""What a path needs; every other one that is not open, known or not, needs `predict`."""
KEYLESS = (
    'No key came along, or one that is not known: send "Authorization: Bearer KEY" or '
    '"X-API-Key: KEY". Whoever runs the server makes one: `ml key NAME --scope predict`.'
)
MEGABYTE = 2**20
SWEEP_SECONDS = 0.25
Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Limits:
    """How much is let in."""

    body_bytes: int = 8 * MEGABYTE
    rate: float = 0
    """Requests a second of one key; 0 sets no limit."""
    inside: int = 256
    """Requests at work at once."""
    body_seconds: float = 10
    answer_seconds: float = 30


def limits(settings: Settings) -> Limits:
    """Give the limits of the settings."""
    return Limits(
        round(settings.serve_max_body_mb * MEGABYTE),
        settings.serve_rate,
        settings.serve_max_waiting,
        settings.serve_body_seconds,
        settings.serve_answer_seconds,
    )


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    reason: str
    """One word, for the metric: auth, scope, rate, size, busy, slow or failed."""
    detail: str
    headers: tuple[Header, ...] = ()


def retry_after(seconds: float) -> Header:
    """Say when to ask again: whole seconds, 1 at least."""
    return b"retry-after", str(int(seconds) + 1).encode()


BUSY = Refusal(503, "busy", "The server has too much to do: ask again.", (retry_after(0),))


def is_open(path: str) -> bool:
    """Tell whether a path is for everybody, at any time."""
    return path in OPEN or path.startswith(STATIC)


@dataclass
class Entry:
    """A request that was let in, and until when its task may be at work."""

    task: "asyncio.Task[object]"
    until: float
    working: bool = False
    """Its body is here."""
    expired: bool = False


@dataclass
class Door:
    """How the server stands to those who ask, now."""

    keys: Ring | None
    """None lets everybody in."""
    limits: Limits
    health: str = ""
    """One more path that is open: where the platform asks how the server is."""
    closing: bool = False
    """The server is about to stop: each answer ends its connection."""
    inside: int = 0
    """Requests at work."""
    entries: dict[int, Entry] = field(default_factory=dict)
    """Requests that arrive or are at work."""
    buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Of each key: how many requests it may make, and as of when (seconds)."""

    def refuse(self, path: str, headers: Mapping[bytes, bytes]) -> Refusal | None:
        """Say why a request for a guarded path is not let in; None lets it in."""
        name, needed = "", SCOPES.get(path, "predict")
        if self.inside >= self.limits.inside and needed != "admin":
            return BUSY  # first: a refusal must cost as little as can be
        if self.keys is not None:
            key = self.keys.find(headers)
            if key is None:
                return Refusal(401, "auth", KEYLESS, ((b"www-authenticate", b"Bearer"),))
            if needed not in key.scopes:
                return Refusal(403, "scope", f"This key lacks the scope {needed}.")
            name = key.name
        if self.limits.rate and (seconds := self._wait(name)):
            detail = f"This key made more than {self.limits.rate:g} requests a second."
            return Refusal(429, "rate", detail, (retry_after(seconds),))
        return self.measure(int(headers.get(b"content-length", b"0")))

    def measure(self, size: int) -> Refusal | None:
        """Say why a body of so many bytes is not read; None reads it."""
        if size <= self.limits.body_bytes:
            return None
        most = f"{self.limits.body_bytes / MEGABYTE:g} MB"
        return Refusal(413, "size", f"body: is larger than {most}.", ((b"connection", b"close"),))

    def _wait(self, name: str) -> float:
        """Take one of a key's requests; give the seconds until there is one, 0 if there is."""
        rate, now = self.limits.rate, time.monotonic()
        most = max(rate, 1.0)
        left, since = self.buckets.get(name, (most, now))
        left = min(left + (now - since) * rate, most)
        self.buckets[name] = (left - (left >= 1), now)
        return 0 if left >= 1 else (1 - left) / rate

    async def sweep(self) -> None:
        """End what takes longer than it may, until cancelled: cheaper than a timer each."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = time.monotonic()
            for entry in list(self.entries.values()):
                if entry.until < now and not entry.expired:
                    entry.expired = True
                    entry.task.cancel()
