"""Tests start the commands of a bare machine, and programs that they declare."""

import os
import shutil
from pathlib import Path

import pytest
from conftest import TEMPLATE
from machine import require


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="`.ci/run` limits PATH")
def test_path_has_listed_commands_only() -> None:
    lines = (TEMPLATE / ".ci" / "commands").read_text(encoding="utf-8").splitlines()
    listed = {line for line in lines if not line.startswith("#")}
    folders = {*map(Path, os.environ["PATH"].split(os.pathsep))} - {TEMPLATE / ".uv" / "bin"}
    found = {path.name for folder in folders for path in folder.glob("*")}
    assert found - {"uv"} == listed | {"python3"}


def test_declared_program_is_found_in_tools_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program").touch(mode=0o755)
    monkeypatch.setenv("TOOLS_PATH", str(tmp_path))
    assert shutil.which("program") is None
    assert require("program", "install it") == str(tmp_path / "program")


@pytest.mark.parametrize(
    ("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)]
)
def test_missing_program_skips_and_in_ci_fails(
    ci: str, outcome: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="`no-program` is missing: install it"):
        require("no-program", "install it")
