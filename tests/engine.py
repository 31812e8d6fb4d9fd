"""A Docker Engine, of the machine or started by the tests, and the images that projects need.

In an engine of the tests, images that cannot be pulled are built from packages of Debian:
`substitutes/`. In the engine of the machine they are not, since other projects would use them.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
import yaml
from filelock import FileLock
from machine import missing, require, wait_for

BASE = "python:3.13-slim"
SUBSTITUTES = Path(__file__).parent / "substitutes"
PULL_SECONDS = 300


def run_docker(
    *command: str | Path, text: str = "", seconds: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run docker with a text as its input; raise TimeoutExpired if it takes longer."""
    program = require("docker", "the tests build and run images")
    return subprocess.run(
        [program, *command],
        input=text,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def docker(*command: str | Path, text: str = "") -> str:
    """Run docker and return its output; fail with its errors."""
    done = run_docker(*command, text=text)
    assert done.returncode == 0, f"docker {' '.join(map(str, command))}\n{done.stderr[-5000:]}"
    return done.stdout.strip()


def answers() -> bool:
    """Return whether a Docker Engine answers."""
    return run_docker("version").returncode == 0


def tools_environment() -> dict[str, str]:
    """Return the environment for programs that need others: .ci/run has few on PATH."""
    return {**os.environ, "PATH": os.environ.get("TOOLS_PATH", os.environ["PATH"])}


def make_image(dockerfile: str, name: str) -> None:
    """Build an image without files."""
    docker("build", "--quiet", "--tag", name, "-", text=dockerfile)


def image_of(name: str) -> str:
    """Return the id of the image of a container, or of an image with this name."""
    container = docker("ps", "--all", "--quiet", f"--filter=name=^{name}$")
    shown = "{{.Image}}" if container else "{{.Id}}"
    return docker("inspect", f"--format={shown}", container or name)


def images_named_in(project: Path) -> set[str]:
    """Return the images that compose.yaml and the Makefile of a project name, but its own."""
    compose = yaml.safe_load((project / "compose.yaml").read_text(encoding="utf-8"))
    images = {service["image"] for service in compose["services"].values()}
    images |= {*re.findall(r"aquasec/trivy:\S+", (project / "Makefile").read_text("utf-8"))}
    return {image for image in images if not image.startswith(project.name)}


@contextmanager
def running_engine(folder: Path, images: Iterable[str]) -> Iterator[None]:
    """Use the engine of the machine, or one with its data in a folder; get images.

    Processes that name the same folder share the engine: two engines would give the same addresses
    to their containers. The last one to leave stops it.
    """
    if answers():
        pulled = {image: pull(image) for image in images}
        if not all(pulled.values()):
            missing(f"images cannot be pulled: {pulled}")
        yield
        return
    folder.mkdir(exist_ok=True)
    with (folder / "users").open("w") as users, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{folder}/docker.sock")
        try:
            with FileLock(folder / "lock"):
                fcntl.flock(users, fcntl.LOCK_SH)
                if not answers():
                    start_engine(folder)
                get_images(images)
            yield
        finally:
            with FileLock(folder / "lock"):
                if is_last(users):
                    stop_engine(folder)


def is_last(users: IO[str]) -> bool:
    """Return whether no other process shares the lock of a file."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def start_engine(folder: Path) -> None:
    """Start an engine with its data in a folder, and wait until it answers."""
    daemon = require("dockerd", "no Docker Engine answers, and the tests start one")
    if os.geteuid():
        missing("no Docker Engine answers, and only root can start one")
    log = folder / "dockerd.log"
    paths = [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
    background = ("sh", "-c", '"$@" &', "sh")  # another process may stop it
    with log.open("wb") as output:
        subprocess.run(
            [*background, daemon, "--host", os.environ["DOCKER_HOST"], *paths],
            env=tools_environment(),
            stdout=output,
            stderr=output,
            check=True,
        )
    deadline = time.monotonic() + 60
    while not answers():
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")[-5000:]
        time.sleep(0.5)


def stop_engine(folder: Path) -> None:
    """Stop the engine of a folder, and remove its data: gigabytes, which pytest would keep."""
    pid = folder / "pid"
    if pid.exists():  # or it did not start
        os.kill(int(pid.read_text(encoding="utf-8")), signal.SIGTERM)
        wait_for(lambda: not pid.exists(), seconds=60)
    umount = require("umount", "an engine leaves mounts behind")
    for mount in (*folder.glob("exec/netns/*"), folder / "data"):
        subprocess.run([umount, "--lazy", mount], capture_output=True, check=False)
    for data in (folder / "data", folder / "exec"):
        if data.exists():
            shutil.rmtree(data)


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
        return run_docker("pull", "--quiet", name, seconds=PULL_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def make_base() -> None:
    """Make an image of Debian with Python 3.13 and the certificates of this machine."""
    require("mmdebstrap", "it makes an image of Debian")
    done = subprocess.run(
        [SUBSTITUTES / "make-base", BASE],
        env=tools_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
