"""Connect to PostgreSQL, without showing an address: a part of it may be a part of a password."""

from typing import Any

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from ..errors import UserError
from ..prediction_log import KEEP_ALIVE

OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "connect_timeout": 5,
    "prepare_threshold": None,  # poolers such as PgBouncer may not keep statements
    **KEEP_ALIVE,
}
SHOWN = ("host", "port", "dbname")
"""What messages of PostgreSQL's client show of an address."""
WRONG = (
    "{} cannot be read. It is postgresql://user:password@host:port/database, with % / @ and spaces "
    "percent-encoded."
)


def require_address(variable: str, address: str) -> None:
    """Raise UserError unless an address can be read, and host, port and database have no @.

    After an @ there would be a part of a password.
    """
    try:
        parts = conninfo_to_dict(address)
    except ProgrammingError:  # its message may quote the password
        raise UserError(WRONG.format(variable)) from None
    if any("@" in str(parts.get(name)) for name in SHOWN):
        raise UserError(WRONG.format(variable))
