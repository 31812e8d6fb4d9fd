"""The server that listens: whoever sends no request is let go, and who sent one is answered first.

A sender that asks again and again on one connection would meet its end at any moment. So for a
while each answer says that it ends its connection, as HTTP has it; then uvicorn stops to listen,
waits for the requests at work, and ends the lifespan, which works off what waits for the state.
"""

import asyncio
import socket
import time
from typing import Any

import uvicorn

from .door import Door

NOTICE_SECONDS = 0.5
"""How long answers say so: a sender that is busy asks more often than this."""


class Server(uvicorn.Server):
    """uvicorn, with notice, and with a time in which the head of a request must arrive."""

    def __init__(self, config: uvicorn.Config, door: Door) -> None:
        super().__init__(config)
        self._door = door
        self._since: dict[Any, float] = {}

    async def on_tick(self, counter: int) -> bool:
        """Close connections on which a head is due for as long as a body may take."""
        now, late = time.monotonic(), self._door.limits.body_seconds
        waiting = filter(_waits, self.server_state.connections)
        self._since = {one: self._since.get(one, now) for one in waiting}
        for one, since in self._since.items():
            if now - since > late:
                one.transport.close()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Give notice, then stop."""
        self._door.closing = True
        await asyncio.sleep(NOTICE_SECONDS)
        await super().shutdown(sockets)


def _waits(connection: Any) -> bool:
    """Tell whether a connection's head is not here; uvicorn itself ends one that sends nothing."""
    cycle = connection.cycle
    return cycle is None or (cycle.response_complete and not connection.timeout_keep_alive_task)
