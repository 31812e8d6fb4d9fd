"""Old conversations are deleted while a server runs, whatever fails."""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import empty_checkpoint
from servers import wait_until

from project_package.errors import Unavailable
from project_package.settings import read_settings
from project_package.support.agent.delete import delete_old, deleting_old
from project_package.support.agent.saver import open_saver
from project_package.support.settings import SupportSettings


def test_deletion_goes_on_after_any_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOG_DAYS", "no number")

    async def serve() -> bool:
        async with deleting_old(None):
            (task,) = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.to_thread(wait_until, lambda: bool(caplog.records))
            return task.done()

    assert not asyncio.run(serve())
    (record,) = caplog.records
    assert (record.levelno, vars(record)["kind"]) == (logging.ERROR, "UserError")


def test_conversation_in_use_does_not_keep_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERVE_ANSWER_SECONDS", "0.2")
    settings = read_settings(SupportSettings)
    keys = [f"C-1 {number}" for number in range(4)]

    async def found() -> set[str]:
        async with open_saver(settings) as saver:
            return {one.config["configurable"]["thread_id"] async for one in saver.alist(None)}

    async def delete_while_one_is_used() -> tuple[set[str], set[str]]:
        async with open_saver(settings) as saver:
            for key in keys:
                config: Any = {"configurable": {"thread_id": key, "checkpoint_ns": ""}}
                await saver.aput(config, empty_checkpoint(), {}, {})
        before = await found()
        async with open_saver(settings, keys[1]):
            with pytest.raises(Unavailable):
                await delete_old(datetime.now(UTC) + timedelta(days=999))
        return before, await found()

    before, after = asyncio.run(delete_while_one_is_used())
    assert (before, after) == ({*keys}, {keys[1]})


def test_deletion_ends_with_a_server_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def serve() -> list[int]:
        with suppress(RuntimeError):
            async with deleting_old(None):
                raise RuntimeError
        return [task.cancelling() for task in asyncio.all_tasks() - {asyncio.current_task()}]

    assert asyncio.run(serve()) == [1]
