"""GET and HEAD /healthz and /readyz: whether the process runs, and whether and what it serves."""

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

HEALTH_PATHS = ("/healthz", "/readyz")
HIDDEN = "see the server's log."


class Ready(BaseModel):
    """The version that is served; each reason is empty when all is well."""

    status: Literal["ready"] = "ready"
    model_version: str
    refused: str = ""
    """Why the newest version is not served."""
    unreachable: str = ""
    """Why the model store cannot be read."""
    state: str = ""
    """Why the event store cannot be used."""
    challenger: str = ""
    """Why the challenger is not served."""
    log: str = ""
    """Why predictions cannot be logged."""


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
        if not hide:
            return ready
        named = {"unreachable": ready.unreachable, "state": ready.state, "log": ready.log}
        return ready.model_copy(update={part: HIDDEN for part, reason in named.items() if reason})

    return router
