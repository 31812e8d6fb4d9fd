"""STATE_URL names a file or a Redis."""

from pathlib import Path

import pytest

from project_package.errors import UserError
from project_package.settings import Settings
from project_package.state.open_store import StateSettings, store_address


def test_files_are_absolute_and_urls_stay(tmp_path: Path) -> None:
    assert StateSettings().state(tmp_path) == str(tmp_path / "state.db")
    file = StateSettings(state_url="sqlite:///events.db")
    assert file.state(tmp_path) == str(tmp_path / "events.db")
    assert StateSettings(state_url="redis://h/1").state(tmp_path) == "redis://h/1"


def test_address_without_a_scheme_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"STATE_URL=127\.0\.0\.1:6379 is none of redis://"):
        StateSettings(state_url="127.0.0.1:6379").state(tmp_path)


def test_other_address_is_refused_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="STATE_URL=mysql://h/db is none of redis://") as error:
        StateSettings(state_url="mysql://me:secret@h/db").state(tmp_path)
    assert "secret" not in str(error.value)


def test_reads_the_environment_unless_settings_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_URL", "redis://h/2")
    assert store_address(Settings(), tmp_path) == "redis://h/2"
    own = StateSettings(state_url="redis://h/3")
    assert store_address(own, tmp_path) == "redis://h/3"


def test_misspelt_name_in_env_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("STATE_URI=redis://h/1\n")
    with pytest.raises(UserError, match=r'STATE_URI in .env is not a setting.*"STATE_URL"'):
        store_address(Settings(), tmp_path)
