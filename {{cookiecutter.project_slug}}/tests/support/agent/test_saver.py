"""Where conversations are kept: addresses that cannot be used, and turns that wait."""

import asyncio
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from servers import Server

from project_package.contract.task import Served
from project_package.errors import Unavailable, UserError
from project_package.settings import read_settings
from project_package.support.agent.chat import make_router
from project_package.support.agent.delete import erase_conversations
from project_package.support.agent.saver import open_saver
from project_package.support.postgres import require_address
from project_package.support.settings import SupportSettings

support = pytest.mark.parametrize("use_case", ["support"], indirect=True, scope="session")
SECRETS = ("x1", "y2")  # the parts of the passwords
WRONG = [
    "postgresql://user:x1%y2@h/db",
    "postgresql://user:x1 y2@127.0.0.1/db",
    "postgresql://user:x1@y2@127.0.0.1:1/db",
    "mysql://user:x1y2@h/db",
]
UNREACHABLE = [
    "postgresql://user:x1y2@127.0.0.1:1/db",
    "postgresql://user:x1y2@127.0.0.1:port/db",
]


def start() -> None:
    """Make the routes, as a server does when it starts."""

    def served() -> Served:
        raise AssertionError

    make_router(served)


def shown(error: BaseException) -> str:
    """Return an error as it is logged, without the lines of the source."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    return "\n".join(line for line in lines if not line.startswith("    "))


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SupportSettings:
    """Keep conversations in a file or in PostgreSQL; turns wait for a fifth of a second."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SERVE_ANSWER_SECONDS", "0.2")
    if request.param == "postgresql":
        monkeypatch.setenv("CONVERSATIONS_URL", request.getfixturevalue("postgres"))
    return read_settings(SupportSettings)


@pytest.mark.parametrize("address", WRONG)
def test_wrong_address_is_a_users_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    monkeypatch.setenv("CONVERSATIONS_URL", address)
    with pytest.raises(UserError, match="CONVERSATIONS_URL cannot be read") as raised:
        start()
    assert raised.value.exit_code == 2
    assert not [secret for secret in SECRETS if secret in shown(raised.value) + caplog.text]


@pytest.mark.parametrize("address", UNREACHABLE)
def test_unreachable_database_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    monkeypatch.setenv("CONVERSATIONS_URL", address)
    start()
    with pytest.raises(Unavailable, match="not available: retry later") as raised:
        erase_conversations("C-1")
    (record,) = caplog.records
    assert record.getMessage() == "CONVERSATIONS_URL cannot be used"
    assert vars(record)["kind"] == "OperationalError"
    assert "port" in vars(record)["reason"]
    assert not [secret for secret in SECRETS if secret in shown(raised.value) + caplog.text]


@pytest.mark.parametrize("use", [start, lambda: erase_conversations("C-1")])
def test_missing_driver_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, use: Callable[[], object]
) -> None:
    monkeypatch.setenv("CONVERSATIONS_URL", "postgresql://127.0.0.1:1/db")
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, require_address.__module__)
    with pytest.raises(UserError, match="CONVERSATIONS_URL needs `uv sync --extra postgresql`"):
        use()


def test_log_says_why_conversations_cannot_be_used(
    postgres: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("create role reads login password 'x1'")
        connection.execute("create database empty")
    server = postgres.partition("@")[2].removesuffix("/postgres")
    monkeypatch.setenv("CONVERSATIONS_URL", f"postgresql://reads:x1@{server}/empty")
    with pytest.raises(Unavailable):
        erase_conversations("C-1")
    assert "permission denied" in vars(caplog.records[-1])["reason"]


def test_turn_waits_no_longer_than_an_answer_may_take(settings: SupportSettings) -> None:
    async def open_twice() -> None:
        async with open_saver(settings, "C-1 a"):
            async with open_saver(settings, "C-1 b"):
                pass  # another conversation does not wait
            with pytest.raises(Unavailable, match="not available: retry later"):
                async with asyncio.timeout(10), open_saver(settings, "C-1 a"):
                    pass
        async with open_saver(settings, "C-1 a"):
            pass

    asyncio.run(open_twice())


def test_first_turns_may_come_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def look(key: str) -> None:
        async with open_saver(read_settings(SupportSettings), key) as saver:
            await saver.aget_tuple({"configurable": {"thread_id": key}})

    async def look_at_once() -> None:
        await asyncio.gather(*(look(key) for key in "abcdefgh"))

    for n in range(40):
        (tmp_path / str(n)).mkdir()
        monkeypatch.chdir(tmp_path / str(n))
        asyncio.run(look_at_once())


@support
def test_server_with_a_wrong_address_does_not_start(
    started: Callable[..., Server], tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match="CONVERSATIONS_URL cannot be read"):
        started(CONVERSATIONS_URL=WRONG[0])
    message = (tmp_path / "stderr").read_text()
    assert "x1" not in message
    assert "Traceback" not in message
