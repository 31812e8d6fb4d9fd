"""GET and HEAD /healthz and /readyz: whether the process runs, and whether and what it serves."""

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

HEALTH_PATHS = ("/healthz", "/readyz")
HIDDEN = "see the server's log."


class Ready(BaseModel):
    """The version that is served, and why a part does not work; empty when it does."""

    status: Literal["ready"] = "ready"
    model_version: str
    refused: str = ""  # why the newest version is not served
    unreachable: str = ""  # why the model store cannot be read
    state: str = ""  # why the event store cannot be used
    challenger: str = ""  # why the challenger is not served
    log: str = ""  # why predictions cannot be logged


def health_router(report: Callable[[], Ready], hide: bool) -> APIRouter:
    """Return the routes; `hide` replaces reasons that name addresses, since no key is needed."""
    router = APIRouter(tags=["health"])

    @router.head("/healthz", include_in_schema=False)
    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Report that the process runs."""
        return {"status": "alive"}

    @router.head("/readyz", include_in_schema=False)
    @router.get("/readyz")
    async def readyz() -> Ready:
        """Report the version that is served, and every part that does not work."""
        ready = report()
        parts = ("refused", "unreachable", "state", "challenger", "log") if hide else ()
        hidden = {part: HIDDEN for part in parts if getattr(ready, part)}
        return ready.model_copy(update=hidden)

    return router
