"""How a server stops: what was accepted is answered first, and nobody is cut off in between.

A sender that asks again and again on one connection would meet its end at any moment. So for a
while each answer says that it ends its connection, as HTTP has it; then uvicorn stops to listen,
waits for the requests at work, and ends the lifespan, which works off what waits for the state.
"""

import asyncio
import socket

import uvicorn

from .door import Door

NOTICE_SECONDS = 0.5
"""How long answers say so: a sender that is busy asks more often than this."""


class Server(uvicorn.Server):
    """uvicorn, with notice."""

    def __init__(self, config: uvicorn.Config, door: Door) -> None:
        super().__init__(config)
        self._door = door

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Give notice, then stop."""
        self._door.closing = True
        await asyncio.sleep(NOTICE_SECONDS)
        await super().shutdown(sockets)
