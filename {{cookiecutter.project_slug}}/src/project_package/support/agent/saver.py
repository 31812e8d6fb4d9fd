"""Where conversations are kept, with LangGraph's checkpointers."""

import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, TypeAlias

from filelock import AsyncFileLock
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from ...errors import Unavailable, UserError
from ...settings import redacted
from ..settings import SupportSettings

CONVERSATIONS = "conversations.db"  # in the folder of the server
LOCK = ".lock-conversation-{}"  # one of 4,096 files, by a hash: few customers share one
SETUP_LOCK = ".lock-conversations"  # SQLite refuses connections that create its file at once
LIMIT = "select set_config('lock_timeout', %s, false)"
WAIT = "select pg_advisory_lock(hashtextextended(%s, 0))"
UNAVAILABLE = "Conversations are not available: retry later."
log = logging.getLogger(__name__)
Saver: TypeAlias = BaseCheckpointSaver[Any]


def check_address(settings: SupportSettings) -> None:
    """Raise UserError if CONVERSATIONS_URL cannot be read, or its driver is missing."""
    if address := settings.conversations_url.get_secret_value():
        try:
            from ..postgres import require_address  # noqa: PLC0415  an extra of the project
        except ImportError:
            raise UserError("CONVERSATIONS_URL needs `uv sync --extra postgresql`.") from None
        require_address("CONVERSATIONS_URL", address)


@asynccontextmanager
async def open_saver(settings: SupportSettings, conversation: str = "") -> AsyncIterator[Saver]:
    """Open a SQLite file, or a PostgreSQL that several machines share.

    The turns of a conversation wait for each other, in all processes.

    Raises:
        UserError: CONVERSATIONS_URL cannot be read.
        Unavailable: conversations cannot be used, or another turn takes longer than an answer may.
    """
    check_address(settings)
    seconds = settings.serve_answer_seconds
    if address := settings.conversations_url.get_secret_value():
        async with open_postgres(address, conversation, seconds) as shared:
            yield shared
        return
    lock = AsyncFileLock(LOCK.format(sha256(conversation.encode()).hexdigest()[:3]), seconds)
    try:
        async with lock, AsyncSqliteSaver.from_conn_string(CONVERSATIONS) as saver:
            async with AsyncFileLock(SETUP_LOCK, seconds, poll_interval=0.005):
                await saver.setup()
            await saver.conn.execute("pragma secure_delete = on")
            yield saver
    except (sqlite3.Error, OSError) as error:
        raise unavailable(CONVERSATIONS, error) from None


@asynccontextmanager
async def open_postgres(address: str, conversation: str, seconds: float) -> AsyncIterator[Saver]:
    """Open a PostgreSQL; its lock ends with the connection."""
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver  # noqa: PLC0415
    from psycopg import AsyncConnection, Error, rows  # noqa: PLC0415  an extra of the project

    from ..postgres import OPTIONS  # noqa: PLC0415

    connecting = AsyncConnection.connect(address, row_factory=rows.dict_row, **OPTIONS)
    try:
        async with await connecting as connection:
            await connection.execute(LIMIT, [f"{max(1, round(1000 * seconds))}ms"])
            saver = AsyncPostgresSaver(connection)
            await saver.setup()
            if conversation:
                await connection.execute(WAIT, [conversation])
            yield saver
    except Error as error:
        raise unavailable("CONVERSATIONS_URL", error) from None


def unavailable(name: str, error: Exception) -> Unavailable:
    """Log an error; return what clients read."""
    reason = redacted(str(error).partition("\n")[0])
    log.warning("%s cannot be used", name, extra={"kind": type(error).__name__, "reason": reason})
    return Unavailable(UNAVAILABLE)


def conversation_key(user: str, thread_id: str) -> str:
    """Return the key of a conversation: other users find none under the same id."""
    return f"{user} {thread_id}"
