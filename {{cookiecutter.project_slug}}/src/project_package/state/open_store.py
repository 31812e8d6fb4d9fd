"""Where the event store is, the setting STATE_URL, and how it is opened there."""

from pathlib import Path

from ..contract.history import History
from ..errors import UserError
from ..settings import Settings, read_settings, redacted
from .event_store import EventStore

REDIS = ("redis://", "rediss://")


class StateSettings(Settings):
    """The settings of a project whose features read stored events."""

    state_url: str = ""
    """SQLite file or redis:// address of the event store; empty means `state.db`."""

    def state(self, root: Path) -> str:
        """Return the address of a Redis, or of an absolute file; raise UserError for another."""
        address = self.state_url.removeprefix("sqlite:///") or "state.db"
        if address.startswith(REDIS):
            return address
        if ":" in address:
            raise UserError(
                f"STATE_URL={redacted(address)} is none of redis://, rediss:// and sqlite:///file."
            )
        return str(root.absolute() / Path(address).expanduser())


def store_address(settings: Settings, root: Path) -> str:
    """Return the address of the event store; STATE_URL is read unless the settings have it."""
    if not isinstance(settings, StateSettings):
        settings = read_settings(StateSettings)
    return settings.state(root)


def open_store(address: str, history: History) -> EventStore:
    """Open the store at a redis:// or rediss:// URL, or in a SQLite file, or raise UserError."""
    if address.startswith(REDIS):
        from .redis import RedisStore  # noqa: PLC0415  its library takes a third of a second

        return RedisStore(address, history)
    from .sqlite import SqliteStore  # noqa: PLC0415  a server with a Redis does not need it

    return SqliteStore(Path(address), history)
