"""A Docker Engine, of the machine or started by the tests, and the images that projects need.

In an engine of the tests, images that cannot be pulled are built from packages of Debian:
`substitutes/`. In the engine of the machine they are not, since other projects would use them.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from machine import missing, require

BASE = "python:3.13-slim"
SUBSTITUTES = Path(__file__).parent / "substitutes"
PULL_SECONDS = 300


def docker(*command: str | Path, text: str = "") -> str:
    """Run docker with a text as its input, and return its output; fail with its errors."""
    program = require("docker", "the tests build and run images")
    done = subprocess.run(
        [program, *command], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(map(str, command))}\n{done.stderr[-5000:]}"
    return done.stdout.strip()


def succeeds(*command: str | Path) -> bool:
    """Return whether a docker command ends with 0."""
    program = require("docker", "the tests build and run images")
    return subprocess.run([program, *command], capture_output=True, check=False).returncode == 0


@contextmanager
def running_engine(folder: Path, images: Iterable[str]) -> Iterator[None]:
    """Use the engine of the machine, or run one with its data in a folder; get images."""
    if succeeds("version"):
        pulled = {image: pull(image) for image in images}
        if not all(pulled.values()):
            missing(f"images cannot be pulled: {pulled}")
        yield
        return
    daemon = require("dockerd", "no Docker Engine answers, and the tests start one")
    if os.geteuid():
        missing("no Docker Engine answers, and only root can start one")
    os.environ["DOCKER_HOST"] = f"unix://{folder}/docker.sock"
    log, process_id = folder / "dockerd.log", folder / "pid"
    paths = (
        "--data-root",
        folder / "data",
        "--exec-root",
        folder / "exec",
        "--pidfile",
        process_id,
    )
    with log.open("wb") as output:
        process = subprocess.Popen(
            [daemon, "--host", os.environ["DOCKER_HOST"], *paths],
            env={**os.environ, "PATH": os.environ.get("TOOLS_PATH", os.environ["PATH"])},
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 60
        while not succeeds("version"):
            assert time.monotonic() < deadline, log.read_text(encoding="utf-8")[-5000:]
            time.sleep(0.5)
        get_images(images)
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)
        del os.environ["DOCKER_HOST"]
        umount = require("umount", "an engine leaves mounts behind")
        for mount in (*folder.glob("exec/netns/*"), folder / "data"):
            subprocess.run([umount, "--lazy", mount], capture_output=True, check=False)
        shutil.rmtree(folder)  # gigabytes, which pytest would keep


def get_images(names: Iterable[str]) -> None:
    """Pull images, or build those that cannot be pulled from packages of Debian."""
    for name in sorted({BASE, *names}, key=BASE.__ne__):  # the others are built on the first
        if pull(name):
            continue
        if name == BASE:
            make_base()
        else:
            target = name.rpartition("/")[2].partition(":")[0]
            docker("build", "--quiet", "--target", target, "--tag", name, SUBSTITUTES)


def pull(name: str) -> bool:
    """Return whether an image could be pulled."""
    try:
        program = require("docker", "the tests build and run images")
        command = [program, "pull", "--quiet", name]
        done = subprocess.run(command, capture_output=True, check=False, timeout=PULL_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def make_base() -> None:
    """Make an image of Debian with Python 3.13 and the certificates of this machine."""
    script = SUBSTITUTES / "make-base"
    tools = {"PATH": os.environ.get("TOOLS_PATH", os.environ["PATH"])}
    require("mmdebstrap", "it makes an image of Debian")
    done = subprocess.run(
        [script, BASE], env={**os.environ, **tools}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
