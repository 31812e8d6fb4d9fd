"""Installing from a package index of a company that gives no upload times."""

import re
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import PROGRAM, TEMPLATE, bake_from
from demo import environment

PROJECT = """
[project]
name = "small"
version = "0"
requires-python = ">=3.11"
dependencies = ["inhouse"]

[tool.uv]
package = false
"""


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def write_wheel(folder: Path) -> None:
    """Write a wheel without modules."""
    folder.mkdir(parents=True)
    files = {
        "METADATA": "Metadata-Version: 2.1\nName: inhouse\nVersion: 1.0\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "inhouse-1.0.dist-info/RECORD,,\n",
    }
    with zipfile.ZipFile(folder / "inhouse-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(f"inhouse-1.0.dist-info/{name}", text)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """Serve a folder with one wheel as an index; a listing of files has no upload times."""
    write_wheel(tmp_path / "index" / "inhouse")
    handler = partial(QuietHandler, directory=str(tmp_path / "index"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with our Makefile and our date, which requires the wheel only."""
    folder = tmp_path / "project"
    folder.mkdir()
    baked = bake_from(TEMPLATE, tmp_path)
    shutil.copy(baked / "Makefile", folder)
    ours = (baked / "pyproject.toml").read_text(encoding="utf-8")
    date = next(line for line in ours.splitlines() if line.startswith("exclude-newer"))
    (folder / "pyproject.toml").write_text(f"{PROJECT}{date}\n", encoding="utf-8")
    return folder


def install(project: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `make install` with environment variables."""
    return subprocess.run(
        ["make", "install"],
        cwd=project,
        env=environment() | variables,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize("document", [TEMPLATE / "docs/install.md", PROGRAM / "CONTRIBUTING.md"])
def test_documented_setting_installs_without_upload_times(
    document: Path, index: str, project: Path
) -> None:
    text = document.read_text(encoding="utf-8")
    settings = dict(re.findall(r"`(UV_EXCLUDE_NEWER)=(\w+)`", text))
    assert install(project, UV_DEFAULT_INDEX=index, **settings).returncode == 0


def test_date_refuses_packages_without_upload_times(index: str, project: Path) -> None:
    refused = install(project, UV_DEFAULT_INDEX=index)
    assert refused.returncode != 0
    assert "upload date" in refused.stderr
