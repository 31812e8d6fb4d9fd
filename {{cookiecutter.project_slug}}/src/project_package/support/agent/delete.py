"""Delete conversations: those of a customer, and those that began long ago."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig

from ...errors import Unavailable
from ...settings import read_settings
from ..settings import SupportSettings
from .saver import CONVERSATIONS, open_saver

HOUR = 3600.0  # seconds, after which a server looks for old conversations again
GREGORIAN = datetime(1582, 10, 15, tzinfo=UTC)  # when the time of these UUIDs begins
log = logging.getLogger(__name__)


def erase_conversations(user: str) -> int:
    """Delete the conversations of a user; return how many.

    Raises:
        Unavailable: they cannot be reached.
    """
    return asyncio.run(delete(filter={"user": user}))


async def delete_old(now: datetime) -> int:
    """Delete the conversations that began LOG_DAYS before; return how many.

    Raises:
        Unavailable: they cannot be reached.
    """
    begin = now - timedelta(days=read_settings(SupportSettings).log_days)
    before: RunnableConfig = {"configurable": {"checkpoint_id": first_id(begin)}}
    return await delete(before=before)


async def delete(**selection: Any) -> int:
    """Delete the conversations that a checkpointer lists, after turns of them that run.

    One that cannot be deleted does not keep the others.
    """
    settings = read_settings(SupportSettings)
    is_file = await asyncio.to_thread(Path(CONVERSATIONS).exists)
    if not (settings.conversations_url or is_file):
        return 0
    async with open_saver(settings) as saver:
        checkpoints = saver.alist(None, **selection)
        keys = {each.config["configurable"]["thread_id"] async for each in checkpoints}
    failed = None
    for key in keys:
        try:
            async with open_saver(settings, key) as saver:
                await saver.adelete_thread(key)
        except Unavailable as error:
            failed = error
    if failed:
        raise failed
    return len(keys)


@asynccontextmanager
async def deleting_old(_: Any) -> AsyncIterator[None]:
    """Delete old conversations every hour while a server runs."""

    async def repeat() -> None:
        while True:
            try:
                await delete_old(datetime.now(UTC))
            except Exception as error:  # noqa: BLE001  of any kind: LOG_DAYS is a promise, so go on
                log.error("old conversations are not deleted", extra={"kind": type(error).__name__})
            await asyncio.sleep(HOUR)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()


def first_id(moment: datetime) -> str:
    """Return the first UUID of version 6 of a moment (RFC 9562): those of checkpoints."""
    ticks = (moment - GREGORIAN) // timedelta(microseconds=1) * 10  # of 100 nanoseconds
    digits = f"{ticks:015x}"
    return f"{digits[:8]}-{digits[8:12]}-6{digits[12:]}-0000-000000000000"
