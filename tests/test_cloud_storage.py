"""MLflow and the model store in the emulated storage of each cloud; a server follows the store."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from conftest import PROGRAM
from demo import ask, environment, free_port, get
from emulators import EMULATORS, started
from machine import wait_for

pytestmark = pytest.mark.projects
USE_CASE = "fraud"
ML = (sys.executable, "-m", f"project_package.{USE_CASE}.entry_point")
FILES = "api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture(params=EMULATORS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Start the storage of a cloud, and MLflow with its files there; yield the settings of both."""
    shutil.copy(PROGRAM / "tests" / USE_CASE / "tiny.toml", tmp_path / "params.toml")
    program = Path(sys.executable).with_name("mlflow")
    database = f"--backend-store-uri=sqlite:///{tmp_path}/mlflow.db"
    with EMULATORS[request.param](tmp_path / "cloud") as cloud:
        port = free_port()  # not before: the emulator could take it
        options = (f"--port={port}", database, f"--artifacts-destination={cloud.artifacts}")
        with started(program, "server", "--workers=1", *options, port=port, **cloud.environment):
            yield {
                **environment(),
                **cloud.environment,
                "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}",
                "MODEL_STORE": cloud.store,
                "SERVE_KEYS": "off",
            }


def ml(folder: Path, settings: dict[str, str], *arguments: str) -> None:
    """Run a command of `ml`; fail with its output."""
    done = subprocess.run(
        [*ML, *arguments], cwd=folder, env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def files_of(server: str, path: str = "") -> Iterator[str]:
    """Yield the paths of MLflow's files, which its server reads from the bucket."""
    for file in get(f"{server}/{FILES}?path={path}")["files"]:
        name = f"{path}/{file['path']}".lstrip("/")
        yield from files_of(server, name) if file["is_dir"] else [name]


def test_server_follows_the_champion_in_the_bucket(
    settings: dict[str, str], tmp_path: Path
) -> None:
    ml(tmp_path, settings, "pipeline")
    assert not (tmp_path / "store").exists()
    command = [*ML, "serve", "--port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, env=settings, stdout=pipe, text=True) as server:
        try:
            assert server.stdout
            line = next(line for line in server.stdout if "is served on" in line)
            url = re.findall(r"http://\S+", line)[0]
            assert ask(url)[1]["model_version"] == "1"
            ml(tmp_path, settings, "pipeline", "--set", "seed=8", "--set", "promote.margin=1")
            wait_for(lambda: ask(url)[1]["model_version"] == "2")
        finally:
            server.terminate()
    mlflow = settings["MLFLOW_TRACKING_URI"]
    (report, *_) = [name for name in files_of(mlflow) if name.endswith(".html")]
    with urlopen(f"{mlflow}/{FILES}/{report}", timeout=30) as answer:
        assert b"<html" in answer.read()
