"""Tests start the commands of a bare machine and programs that they declare, without a network."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE
from machine import offline, require

PUBLIC_ADDRESS = "1.1.1.1"


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


@pytest.mark.usefixtures("needs_namespaces")
def test_network_is_cut() -> None:
    probe = (
        "import socket; print([name for _, name in socket.if_nameindex()]); "
        f"socket.create_connection(('{PUBLIC_ADDRESS}', 443), timeout=5)"
    )
    command = offline(sys.executable, "-c", probe)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "['lo']"
    assert "Network is unreachable" in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as outside:  # loopback is not shared either
        port = outside.getsockname()[1]
        refused = f"import socket; socket.create_connection(('127.0.0.1', {port}), timeout=5)"
        command = offline(sys.executable, "-c", refused)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "ConnectionRefusedError" in done.stderr
