"""Open the event store at an address: in a Redis, or in a SQLite file."""

from pathlib import Path

from ..contract.history import History
from .event_store import EventStore
from .settings import REDIS


def open_store(address: str, history: History) -> EventStore:
    """Open the store at a redis:// or rediss:// URL, or in a SQLite file, or raise UserError."""
    if address.startswith(REDIS):
        from .redis import RedisStore  # noqa: PLC0415  its library takes a third of a second

        return RedisStore(address, history)
    from .sqlite import SqliteStore  # noqa: PLC0415  a server with a Redis does not need it

    return SqliteStore(Path(address), history)
